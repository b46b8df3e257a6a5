"""From a credential to a caller: our own tokens by the ledger, Google's ID tokens by audience and e-mail address."""

from datetime import datetime, timedelta

import structlog

from handlers.http.access import Access
from worker.access.port import USED_EVERY, Identity
from worker.access.token import Caller, is_valid, token_id
from worker.clock import EPOCH, Clock
from worker.errors import Rejected, TryLater
from worker.ledger import Ledger

log = structlog.get_logger()

_JWT_DOTS = 2
_RETRY = timedelta(minutes=1)


class Authenticator:
    """Knows callers by their credentials; a revocation counts from the next request on."""

    def __init__(self, access: Access, ledger: Ledger, clock: Clock, identity: Identity | None = None) -> None:
        """`identity` verifies ID tokens; None accepts none."""
        self._access = access
        self._ledger = ledger
        self._clock = clock
        self._identity = identity
        self._next_note: dict[str, datetime] = {}

    def check(self) -> None:
        """Raise Rejected if nobody could ever be let in."""
        if self._identity:
            return
        with self._ledger.begin(write=False) as transaction:
            if transaction.tokens.any_active():
                return
        raise Rejected(
            "callers must show a token, and there is none",
            field="COLONY_HOST",
            mend="make one with `colony tokens create`, set COLONY_AUTH_AUDIENCE and COLONY_AUTH_EMAILS, "
            "or listen on 127.0.0.1",
        )

    def caller(self, credential: str) -> Caller | None:
        """Return who shows this credential; None if it counts for nothing. Raises TryLater."""
        id_ = token_id(credential)
        if id_:
            with self._ledger.begin(write=False) as transaction:
                token = transaction.tokens.get(id_)
            return Caller(id_, token.scopes) if is_valid(credential, token) and token else None
        if self._identity is None or credential.count(".") != _JWT_DOTS:
            return None
        email = self._identity.email(credential)
        scopes = self._access.emails.get(email or "")
        return Caller(str(email), scopes) if scopes else None

    def owes_note(self, caller: Caller) -> bool:
        """Tell whether this use of a token is to be recorded: once in a while, a person's never."""
        return token_known(caller) and self._clock() >= self._next_note.get(caller.name, EPOCH)

    def note(self, caller: Caller) -> None:
        """Record that a token is in use; a ledger that is busy is asked again later."""
        now = self._clock()
        self._next_note[caller.name] = now + _RETRY
        try:
            with self._ledger.begin() as transaction:
                transaction.tokens.mark_used(caller.name, now)
        except TryLater as error:
            log.info("use of a token is noted later", token=caller.name, reason=str(error))
            return
        self._next_note[caller.name] = now + USED_EVERY


def token_known(caller: Caller) -> bool:
    """Tell whether the caller came with a token of ours."""
    return "@" not in caller.name

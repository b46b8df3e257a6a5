"""What access asks of the ledger and of an identity provider."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from worker.access.token import Token

#: How exactly it is known when a token was last used: finer would cost a write per request.
USED_EVERY = timedelta(hours=1)


class TokenLedger(Protocol):
    """The ledger's record of bearer tokens, inside one transaction."""

    def add(self, token: Token) -> None:
        """Store a new token. Raises Conflict if its id exists."""
        ...

    def get(self, id_: str) -> Token | None:
        """Return one token, revoked or not."""
        ...

    def list(self) -> Sequence[Token]:
        """Return every token, oldest first."""
        ...

    def any_active(self) -> bool:
        """Tell whether there is a token that has not been revoked."""
        ...

    def revoke(self, id_: str, now: datetime) -> None:
        """Record that a token counts no more; the first time stays."""
        ...

    def mark_used(self, id_: str, now: datetime) -> None:
        """Record that a token was used, unless that is known to within `USED_EVERY`."""
        ...


class Identity(Protocol):
    """Tells who signed in elsewhere."""

    def email(self, credential: str) -> str | None:
        """Return the verified e-mail address of an identity token; None if it is not valid for us. Raises TryLater."""
        ...

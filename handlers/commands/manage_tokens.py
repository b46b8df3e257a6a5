"""Make and revoke bearer tokens of the HTTP API; a token is shown once, and only its hash is kept."""

from collections.abc import Iterable
from datetime import datetime

from worker.access.token import Token, digest, parse_scopes, token_id, token_text
from worker.errors import NotFound, Rejected
from worker.ledger import Ledger

MAX_NAME = 200


def create_token(
    name: str, scopes: Iterable[str], ledger: Ledger, now: datetime, *, random: bytes
) -> tuple[Token, str]:
    """Return a new token's record, and the token itself, which nothing will tell again.

    It is made of `random`: ID_BYTES + SECRET_BYTES of a cryptographic source.

    Raises:
        Rejected: no name, no scope, or an unknown scope.
    """
    granted = parse_scopes(scopes, field="scope")
    if not granted:
        raise Rejected("is missing", field="scope", mend="say what the token is for: read, write, operate")
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        mend = f"say who will use it, in at most {MAX_NAME} characters"
        raise Rejected("is not a name", field="name", mend=mend)
    text = token_text(random)
    token = Token(str(token_id(text)), name.strip(), digest(text), granted, now)
    with ledger.begin() as transaction:
        transaction.tokens.add(token)
    return token, text


def revoke_token(id_: str, ledger: Ledger, now: datetime) -> Token:
    """Make a token count no more, from the next request on; revoking it again changes nothing. Raises NotFound."""
    with ledger.begin() as transaction:
        transaction.tokens.revoke(id_, now)
        token = transaction.tokens.get(id_)
    if token is None:
        raise NotFound(f"there is no token {id_}; `colony tokens list` has their ids")
    return token

"""`tokens`: bearer tokens of the HTTP API, by their hash."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from worker.access.port import USED_EVERY
from worker.access.token import Scope, Token
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.tables import tokens
from worker.clock import from_us, to_us
from worker.errors import Conflict


class SqlTokens:
    """Tokens inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._database = database
        self._connection = connection

    def add(self, token: Token) -> None:
        """Store a new token. Raises Conflict if its id exists."""
        row = {
            "id": token.id,
            "name": token.name,
            "sha256": token.sha256,
            "scopes": " ".join(sorted(token.scopes)),
            "created_at": to_us(token.created_at),
        }
        try:
            with self._database.savepoint(self._connection):
                self._connection.execute(tokens.insert().values(**row))
        except IntegrityError as error:
            raise Conflict(f"token {token.id} exists already") from error

    def get(self, id_: str) -> Token | None:
        """Return one token, revoked or not."""
        row = self._connection.execute(sa.select(tokens).where(tokens.c.id == id_)).first()
        return _token(row) if row else None

    def list(self) -> Sequence[Token]:
        """Return every token, oldest first."""
        query = sa.select(tokens).order_by(tokens.c.created_at, tokens.c.id)
        return [_token(row) for row in self._connection.execute(query)]

    def any_active(self) -> bool:
        """Tell whether there is a token that has not been revoked."""
        query = sa.select(tokens.c.id).where(tokens.c.revoked_at.is_(None)).limit(1)
        return self._connection.execute(query).first() is not None

    def revoke(self, id_: str, now: datetime) -> None:
        """Record that a token counts no more; the first time stays."""
        where = sa.and_(tokens.c.id == id_, tokens.c.revoked_at.is_(None))
        self._connection.execute(tokens.update().where(where).values(revoked_at=to_us(now)))

    def mark_used(self, id_: str, now: datetime) -> None:
        """Record that a token was used, unless that is known to within `USED_EVERY`."""
        old = sa.or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at <= to_us(now - USED_EVERY))
        self._connection.execute(tokens.update().where(tokens.c.id == id_, old).values(last_used_at=to_us(now)))


def _token(row: sa.Row[tuple[object, ...]]) -> Token:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row by column
    used, revoked = values["last_used_at"], values["revoked_at"]
    return Token(
        id=values["id"],
        name=values["name"],
        sha256=values["sha256"],
        scopes=frozenset(map(Scope, values["scopes"].split())),
        created_at=from_us(values["created_at"]),
        last_used_at=None if used is None else from_us(used),
        revoked_at=None if revoked is None else from_us(revoked),
    )

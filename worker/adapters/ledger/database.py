"""One SQL database for SQLite and PostgreSQL: connections, transactions, the database's clock, transient faults."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from worker.errors import TryLater

_SQLITE_NOW = "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)"
_POSTGRES_NOW = "CAST(extract(epoch from clock_timestamp()) * 1000000 AS BIGINT)"


def dumps(value: Any) -> str:
    """Return JSON text with sorted keys, as every JSON column holds it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class Database:
    """A connection pool with our rules: writers queue up (BEGIN IMMEDIATE), commits are on disk, faults are named."""

    def __init__(self, url: str, *, busy_timeout_s: float = 30.0) -> None:
        """Connect lazily; `url` is SQLAlchemy's (`sqlite:///path`, `postgresql+psycopg://…`)."""
        if url.startswith(("postgresql://", "postgres://")):
            url = "postgresql+psycopg://" + url.split("://", 1)[1]
        self.url = sa.make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        if self.sqlite:
            # One connection is the whole of a database in memory.
            pool: dict[str, Any] = {"pool_size": 8} if self.url.database else {"poolclass": sa.pool.StaticPool}
            options = {"timeout": busy_timeout_s, "check_same_thread": False}
            self.engine = sa.create_engine(self.url, connect_args=options, **pool)
            sa.event.listen(self.engine, "connect", _sqlite_connect)
        else:
            self.engine = sa.create_engine(self.url, pool_pre_ping=True, pool_size=8, max_overflow=8)

    @contextmanager
    def begin(self, *, write: bool = True) -> Iterator[sa.Connection]:
        """Give a connection inside one transaction; commit at the end, roll back on an error.

        Raises:
            TryLater: busy, full, read-only or unreachable; nothing was changed (a lost commit answer aside).
        """
        try:
            with self.engine.connect() as connection:
                if self.sqlite:
                    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
                try:
                    yield connection
                except BaseException:
                    connection.rollback()
                    raise
                connection.commit()
        except DBAPIError as error:
            raise_if_transient(error, str(self.url.render_as_string(hide_password=True)))
            raise

    def now_us(self, connection: sa.Connection) -> int:
        """Return the database's clock in microseconds since 1970: the clock that leases go by."""
        return int(connection.execute(sa.text(f"SELECT {self.now_sql}")).scalar_one())

    @property
    def now_sql(self) -> str:
        """The SQL expression of the database's clock in microseconds."""
        return _SQLITE_NOW if self.sqlite else _POSTGRES_NOW

    def insert(self, table: sa.Table) -> Any:
        """Return the dialect's INSERT, which knows ON CONFLICT."""
        if self.sqlite:
            from sqlalchemy.dialects.sqlite import insert as sqlite_insert

            return sqlite_insert(table)
        from sqlalchemy.dialects.postgresql import insert as postgres_insert

        return postgres_insert(table)

    def upsert(self, table: sa.Table, row: dict[str, Any], keys: Sequence[str], keep: Sequence[str] = ()) -> Any:
        """Return an INSERT of `row` that replaces everything but `keys` and `keep` where the keys exist."""
        statement = self.insert(table).values(**row)
        changed = {name: statement.excluded[name] for name in row if name not in keys and name not in keep}
        return statement.on_conflict_do_update(index_elements=list(keys), set_=changed)

    def close(self) -> None:
        """Close the pool."""
        self.engine.dispose()


def _sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


_TRANSIENT = ("locked", "busy", "disk is full", "full", "readonly", "read-only", "unable to open", "disk i/o error")


def raise_if_transient(error: DBAPIError, where: str) -> None:
    """Raise TryLater if the fault may pass: a busy, full, read-only or unreachable database, or a serialisation."""
    text = str(error.orig).lower()
    state = getattr(error.orig, "sqlstate", None) or ""
    if error.connection_invalidated or state[:2] in {"08", "40", "53", "55", "57"}:
        raise TryLater(f"the ledger at {where} is not available now: {error.orig}") from error
    if isinstance(error, OperationalError) and (not state or any(word in text for word in _TRANSIENT)):
        raise TryLater(f"the ledger at {where} cannot be written or reached now: {error.orig}") from error

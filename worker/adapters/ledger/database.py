"""One SQL database for SQLite and PostgreSQL: connections, transactions, the database's clock, transient faults."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from worker.adapters.ledger.cloud_sql import CloudSql
from worker.adapters.ledger.faults import demoted, transient
from worker.errors import Rejected, TryLater

_SQLITE_NOW = "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)"
_POSTGRES_NOW = "CAST(extract(epoch from clock_timestamp()) * 1000000 AS BIGINT)"
_IN_ERROR = 3  # libpq's PQTRANS_INERROR
_CONNECT_S = 10
#: A connection is given up at this age, so that a changed address, role or certificate is found without a fault.
_OLDEST_S = 1800
_ENCODER = msgspec.json.Encoder(order="deterministic")


def dumps(value: Any) -> str:
    """Return JSON text with sorted keys, as every JSON column holds it; any text in it, half a surrogate too."""
    text = _dumps(value, ascii_only=False)
    return text if _is_utf8(text) else _dumps(value, ascii_only=True)


def quick_dumps(value: Any) -> str:
    """Return the same JSON value as `dumps`, in a quarter of its time: for finite numbers, as every event has them."""
    try:
        return _ENCODER.encode(value).decode()
    except (TypeError, ValueError):
        return dumps(value)


def insert_into(table: sa.Table, *, sqlite: bool) -> Any:
    """Return SQLite's or PostgreSQL's INSERT, which knows ON CONFLICT."""
    if sqlite:
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        return sqlite_insert(table)
    from sqlalchemy.dialects.postgresql import insert as postgres_insert

    return postgres_insert(table)


class Database:
    """A connection pool with our rules: writers queue up (BEGIN IMMEDIATE), commits are on disk, faults are named.

    Attributes:
        where: the URL without its secrets.
        file: SQLite's file; None for one in memory, and for PostgreSQL.
    """

    def __init__(self, url: str, *, busy_timeout_s: float = 30.0) -> None:
        """Connect lazily.

        Args:
            url: SQLAlchemy's (`sqlite:///path`, `postgresql://…`), or one that names a Cloud SQL instance (`CloudSql`).
            busy_timeout_s: how long to wait for another's lock, and for a free connection, in seconds.

        Raises:
            Rejected: not such a URL.
        """
        self.url = _parse(url)
        self.where = self.url.set(query={}).render_as_string(hide_password=True)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        name = self.url.database or ":memory:"
        self.file = Path(name) if self.sqlite and name != ":memory:" and not name.startswith("file:") else None
        self._used = False
        self._cloud: CloudSql | None = None
        pool: dict[str, Any] = {"pool_size": 8, "max_overflow": 8, "pool_timeout": busy_timeout_s}
        if self.sqlite:
            # One connection is the whole of a database in memory.
            pool = {"poolclass": sa.pool.StaticPool} if name == ":memory:" else {"poolclass": sa.pool.QueuePool, **pool}
            options: dict[str, Any] = {"timeout": busy_timeout_s, "check_same_thread": False}
            self.engine = sa.create_engine(self.url, connect_args=options, **pool)
            sa.event.listen(self.engine, "connect", _sqlite_connect)
        else:
            pool |= {"pool_pre_ping": True, "pool_recycle": _OLDEST_S}
            self._cloud = CloudSql.of(self.url)
            if self._cloud:
                self.engine = sa.create_engine(self.url, creator=self._cloud.connect, **pool)
            else:
                options = {} if "connect_timeout" in self.url.query else {"connect_timeout": _CONNECT_S}
                self.engine = sa.create_engine(self.url, connect_args=options, **pool)
            sa.event.listen(self.engine, "connect", _postgres_connect(busy_timeout_s))
        sa.event.listen(self.engine, "handle_error", self._named)

    @contextmanager
    def begin(self, *, write: bool = True) -> Iterator[sa.Connection]:
        """Give a connection inside one transaction; commit at the end, roll back on an error.

        Raises:
            TryLater: busy, full, read-only or unreachable, from the very statement that met it; nothing was changed
                (a lost commit answer aside).
        """
        if self._used and self.file is not None and not self.file.exists():
            # To connect now would make an empty ledger in its place.
            raise TryLater(f"the ledger's file {self.file} is gone: restore it from a backup")
        try:
            with self.engine.connect() as connection:
                self._check_same_file(connection)
                if self.sqlite:
                    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
                try:
                    yield connection
                except BaseException:
                    connection.rollback()
                    raise
                self._check_whole(connection)
                connection.commit()
        except sa.exc.TimeoutError as error:
            raise TryLater(f"the ledger at {self.where} has no connection free: {error}") from error

    def _check_same_file(self, connection: sa.Connection) -> None:
        """Notice that SQLite's file was replaced: what is written to the old one is seen by nobody, and lost."""
        if self.file is None:
            return
        state = self.file.stat()
        found = (state.st_dev, state.st_ino)
        if connection.info.setdefault("file", found) != found:
            connection.invalidate()
            raise TryLater(f"the ledger's file {self.file} was replaced while it was in use; going over to the new one")
        self._used = True

    @contextmanager
    def savepoint(self, connection: sa.Connection) -> Iterator[None]:
        """Undo what happens inside if it raises, and raise on."""
        nested = connection.begin_nested()
        try:
            yield
        except BaseException:
            # A savepoint goes with its transaction; to roll it back then would hide why.
            if not self._rolled_back(connection):
                nested.rollback()
            raise
        nested.commit()

    def now_us(self, connection: sa.Connection) -> int:
        """Return the database's clock in microseconds since 1970: the clock that leases go by."""
        return int(connection.execute(sa.text(f"SELECT {self.now_sql}")).scalar_one())

    @property
    def now_sql(self) -> str:
        """The SQL expression of the database's clock in microseconds."""
        return _SQLITE_NOW if self.sqlite else _POSTGRES_NOW

    def insert(self, table: sa.Table) -> Any:
        """Return the dialect's INSERT, which knows ON CONFLICT."""
        return insert_into(table, sqlite=self.sqlite)

    def upsert(self, table: sa.Table, row: dict[str, Any], keys: Sequence[str], keep: Sequence[str] = ()) -> Any:
        """Return an INSERT of `row` that replaces everything but `keys` and `keep` where the keys exist."""
        statement = self.insert(table).values(**row)
        changed = {name: statement.excluded[name] for name in row if name not in keys and name not in keep}
        return statement.on_conflict_do_update(index_elements=list(keys), set_=changed)

    def close(self) -> None:
        """Close the pool."""
        self.engine.dispose()
        if self._cloud:
            self._cloud.close()

    def _named(self, context: sa.engine.ExceptionContext) -> TryLater | None:
        """Name a transient fault where it happens, so that nobody takes it for a fault of what is being handled."""
        if context.is_pre_ping:
            return None
        words = transient(context.original_exception)
        if demoted(context.original_exception):
            # After a failover the old primary may live on as a standby; what is connected to it never writes again.
            context.is_disconnect = True
        if words is None and context.is_disconnect and isinstance(context.sqlalchemy_exception, sa.exc.DBAPIError):
            words = "the connection broke"
        connection: sa.Connection | None = context.connection
        if words is None and connection is not None and self._rolled_back(connection):
            words = f"it has rolled the transaction back ({context.original_exception})"
        return None if words is None else TryLater(f"the ledger at {self.where} is not available now: {words}")

    def _rolled_back(self, connection: sa.Connection) -> bool:
        """Tell whether SQLite has given the transaction up by itself, as it may when the disk is full."""
        if not self.sqlite or connection.closed or connection.invalidated:
            return False
        raw: Any = connection.connection.dbapi_connection
        return raw is not None and not raw.in_transaction

    def _check_whole(self, connection: sa.Connection) -> None:
        """Refuse to commit what the database has given up: its COMMIT would succeed and keep nothing, or a part."""
        lost = connection.invalidated or self._rolled_back(connection)
        if not lost and not self.sqlite:
            info: Any = getattr(connection.connection.dbapi_connection, "info", None)
            lost = info is not None and info.transaction_status == _IN_ERROR
        if lost:
            raise TryLater(f"the ledger at {self.where} has rolled the transaction back after an error inside it")


def _parse(url: str) -> sa.URL:
    mend = "write it as sqlite:///path/ledger.db or postgresql://user:password@host/database (special signs as %40)"
    if url.startswith(("postgresql://", "postgres://")):
        url = "postgresql+psycopg://" + url.split("://", 1)[1]
    parsed = None
    # The parser's own words may hold a part of the password, so they are dropped.
    with suppress(sa.exc.ArgumentError, ValueError):
        parsed = sa.make_url(url)
    if parsed is None:
        raise Rejected("not a database URL", field="COLONY_LEDGER", mend=mend)
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise Rejected(f"{parsed.drivername!r} is not supported", field="COLONY_LEDGER", mend=mend)
    return parsed


def _sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _postgres_connect(lock_timeout_s: float) -> Any:
    def connect(connection: Any, _record: object) -> None:
        # A process that was paused inside a transaction must not stop all others for ever.
        connection.execute(f"SET lock_timeout = {int(lock_timeout_s * 1000)}")
        connection.commit()

    return connect


def _dumps(value: Any, *, ascii_only: bool) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=ascii_only, allow_nan=False)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

"""The ledger on SQLAlchemy Core: transactions, locks and savepoints; each table's part is in its own module."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from worker.adapters.ledger import tables
from worker.adapters.ledger.approvals import SqlApprovals
from worker.adapters.ledger.batch.transaction import BatchTransaction
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.decisions import SqlDecisions
from worker.adapters.ledger.features import SqlFeatures
from worker.adapters.ledger.inbox import SqlInbox
from worker.adapters.ledger.incidents import SqlIncidents
from worker.adapters.ledger.locks import lock_bees
from worker.adapters.ledger.memories import SqlMemories
from worker.adapters.ledger.migrate import upgrade
from worker.adapters.ledger.models import SqlModels
from worker.adapters.ledger.notices import SqlNotices
from worker.adapters.ledger.outbox import SqlOutbox
from worker.adapters.ledger.projections import SqlProjections
from worker.adapters.ledger.request_keys import SqlRequestKeys
from worker.adapters.ledger.runs import SqlRuns
from worker.adapters.ledger.schedules import SqlSchedules
from worker.adapters.ledger.tokens import SqlTokens
from worker.adapters.ledger.trials import SqlTrials


class SqlTransaction:
    """One open transaction."""

    def __init__(self, database: Database, connection: sa.Connection, installation: str) -> None:
        """Wrap a connection that is inside a transaction."""
        self.installation = installation
        self._database = database
        self._connection = connection
        self.inbox = SqlInbox(database, connection)
        self.decisions = SqlDecisions(database, connection)
        self.memories = SqlMemories(database, connection)
        self.incidents = SqlIncidents(database, connection)
        self.approvals = SqlApprovals(database, connection)
        self.runs = SqlRuns(database, connection)
        self.models = SqlModels(database, connection)
        self.trials = SqlTrials(database, connection)
        self.features = SqlFeatures(database, connection)
        self.projections = SqlProjections(database, connection)
        self.outbox = SqlOutbox(database, connection)
        self.notices = SqlNotices(database, connection)
        self.schedules = SqlSchedules(database, connection)
        self.request_keys = SqlRequestKeys(database, connection)
        self.tokens = SqlTokens(database, connection)

    def lock(self, bees: Sequence[str]) -> None:
        """Take the bees' row locks in order; SQLite's whole database is locked by the transaction already."""
        lock_bees(self._database, self._connection, bees)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what happens inside if it raises, and raise on."""
        with self._database.savepoint(self._connection):
            yield


class SqlBatch(BatchTransaction):
    """One open transaction for many events."""

    @contextmanager
    def directly(self) -> Iterator[SqlTransaction]:
        """Give an ordinary transaction inside this one, which sees all that has happened so far, and isolates."""
        self.flush()
        with self._database.savepoint(self._connection):
            yield SqlTransaction(self._database, self._connection, self.installation)
        self.read()


class SqlLedger:
    """The ledger of one database; opening it brings the schema up to date."""

    def __init__(self, database: Database) -> None:
        """Migrate if needed and read (or make) the installation's id. Raises TryLater."""
        self.database = database
        upgrade(database)
        self.installation = self._installation()

    def _installation(self) -> str:
        table = tables.installation
        with self.database.begin(write=False) as connection:
            found = connection.execute(sa.select(table.c.id)).scalar()
        if found:
            return str(found)
        with self.database.begin() as connection:
            if not self.database.sqlite:
                connection.execute(sa.text("LOCK TABLE installation IN EXCLUSIVE MODE"))
            found = connection.execute(sa.select(table.c.id)).scalar()
            if not found:
                found = secrets.token_hex(8)
                connection.execute(table.insert().values(id=found))
        return str(found)

    @contextmanager
    def begin(self, *, write: bool = True) -> Iterator[SqlTransaction]:
        """Begin a transaction; it commits when the context ends well. Raises TryLater."""
        with self.database.begin(write=write) as connection:
            yield SqlTransaction(self.database, connection, self.installation)

    @contextmanager
    def batch(self, keys: Sequence[tuple[str, str]], bees: Sequence[str]) -> Iterator[SqlBatch]:
        """Begin the transaction of a batch; it writes and commits when the context ends well. Raises TryLater."""
        with self.database.begin() as connection:
            batch = SqlBatch(self.database, connection, self.installation, keys, bees)
            try:
                yield batch
                batch.flush()
            finally:
                batch.release()

    def verify(self) -> None:
        """Write and commit. Raises TryLater."""
        insert = self.database.insert(tables.leases).values(name="verify", until=0, epoch=1)
        counted = insert.on_conflict_do_update(index_elements=["name"], set_={"epoch": tables.leases.c.epoch + 1})
        with self.database.begin() as connection:
            connection.execute(counted)

    def close(self) -> None:
        """Close the pool."""
        self.database.close()

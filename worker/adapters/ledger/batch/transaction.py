"""The transaction of a batch: the ports of every other one, over what was read at once; it writes when it ends."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec
import sqlalchemy as sa

from worker.adapters.ledger.approvals import SqlApprovals
from worker.adapters.ledger.batch.bees import BatchIncidents, BatchMemories, BatchModels, BatchRuns
from worker.adapters.ledger.batch.bulk import insert_many
from worker.adapters.ledger.batch.intake import BatchDecisions, BatchInbox
from worker.adapters.ledger.batch.load import Pair, Reader
from worker.adapters.ledger.batch.outbox import BatchOutbox
from worker.adapters.ledger.batch.state import Undo, only_own
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.features import SqlFeatures
from worker.adapters.ledger.inbox import AGAIN_BY
from worker.adapters.ledger.incidents import incident_row, incident_upsert
from worker.adapters.ledger.locks import COLONY, lock_bees
from worker.adapters.ledger.notices import SqlNotices
from worker.adapters.ledger.projections import SqlProjections
from worker.adapters.ledger.request_keys import SqlRequestKeys
from worker.adapters.ledger.schedules import SqlSchedules
from worker.adapters.ledger.tables import bee_state, decisions, inbox, runs, watermarks
from worker.adapters.ledger.tokens import SqlTokens
from worker.adapters.ledger.trials import SqlTrials
from worker.clock import to_us
from worker.monitor.finding import FeatureFindings

#: As `memory_upsert` and `newer_watermark` say it.
_REPLACED = "ON CONFLICT (bee) DO UPDATE SET memory = excluded.memory"
_NEWER = (
    "ON CONFLICT (bee, version) DO UPDATE SET evaluated_at = excluded.evaluated_at"
    " WHERE watermarks.evaluated_at < excluded.evaluated_at"
)


@only_own
class _Schedules(SqlSchedules):
    """No event asks for schedules."""


@only_own
class _Approvals(SqlApprovals):
    """People are asked so rarely that it is done directly."""


@only_own
class _Notices(SqlNotices):
    """No event sends notices."""


@only_own
class _Projections(SqlProjections):
    """No event shows anything elsewhere."""


@only_own
class _Trials(SqlTrials):
    """What an event says of a trial is done directly."""


@only_own
class _Features(SqlFeatures):
    """No event says what features were like."""

    def open_findings(self) -> Sequence[FeatureFindings]:
        """Return the features whose newest window had a finding, by name; no event changes them."""
        return super().open_findings()


@only_own
class _RequestKeys(SqlRequestKeys):
    """No event has a request key."""


@only_own
class _Tokens(SqlTokens):
    """No event has a token."""


class BatchTransaction:
    """One open transaction in which many events are handled.

    What an event asks of the ledger beyond what the batch has is answered by the database; what it changes of that
    must be done by `worker.ledger.Batch.directly`.
    """

    def __init__(
        self,
        database: Database,
        connection: sa.Connection,
        installation: str,
        keys: Sequence[Pair],
        bees: Sequence[str],
    ) -> None:
        """Take the bees' locks and read what deciding needs.

        Args:
            database: whose connection it is.
            connection: inside a transaction.
            installation: the ledger's name.
            keys: (source, id) of the events.
            bees: those that the events are about.
        """
        self.installation = installation
        self._database = database
        self._connection = connection
        self._keys = list(dict.fromkeys(keys))
        self._bees = sorted(set(bees))
        self._undo = Undo()
        of = (database, connection)
        self.inbox, self.decisions, self.outbox = BatchInbox(*of), BatchDecisions(*of), BatchOutbox(*of)
        self.memories, self.incidents = BatchMemories(*of), BatchIncidents(*of)
        self.runs, self.models = BatchRuns(*of), BatchModels(*of)
        self.approvals, self.notices, self.projections = _Approvals(*of), _Notices(*of), _Projections(*of)
        self.trials = _Trials(*of)
        self.features = _Features(*of)
        self.schedules, self.request_keys, self.tokens = _Schedules(*of), _RequestKeys(*of), _Tokens(*of)
        self.lock(self._bees)
        self.read()

    def lock(self, bees: Sequence[str]) -> None:
        """Take the bees' row locks in order; SQLite's whole database is locked by the transaction already."""
        if not self._database.sqlite:
            lock_bees(self._database, self._connection, bees)

    def savepoint(self) -> AbstractContextManager[None]:
        """Forget what happens inside if it raises, and raise on; nothing of it has reached the database."""
        return self._undo

    def read(self) -> None:
        """Read what deciding about the batch's events needs, forgetting what was known."""
        reader, undo, bees = Reader(self._database, self._connection), self._undo, self._bees
        undo.clear()
        self.inbox.open(reader, undo, self._keys)
        self.decisions.open(reader, undo, self.inbox.known)
        self.memories.open(undo)
        self.outbox.open(undo)
        self._read_states(reader, bees)
        self.incidents.open(reader, undo, bees)
        self.runs.open(reader, undo, bees)
        self.models.open(reader, undo, bees)
        self.decisions.load_marks(self.models.live)

    def flush(self) -> None:
        """Write everything that waits."""
        insert_many(self._connection, inbox, self.inbox.rows.rows, sqlite=self._database.sqlite)
        again = self.inbox.again.dirty.items()
        self._many(AGAIN_BY, [{"of_source": key[0], "of_id": key[1], "more": more} for key, more in again])
        insert_many(self._connection, decisions, self.decisions.decision_rows(), sqlite=self._database.sqlite)
        self._flush_states()
        self._many(runs.insert(), self.runs.rows.rows)
        self.outbox.flush()

    def release(self) -> None:
        """Let go of everything, with no use of it afterwards.

        The parts refer to themselves by how they read: megabytes for each batch would wait for the garbage collector.
        """
        self._undo.clear()
        for part in (self.inbox, self.decisions, self.outbox, self.memories, self.incidents, self.runs, self.models):
            vars(part).clear()

    def _flush_states(self) -> None:
        sqlite = self._database.sqlite
        marks = self.decisions.marks.dirty.items()
        moved = [{"bee": key[0], "version": key[1], "evaluated_at": to_us(to)} for key, to in marks if to is not None]
        insert_many(self._connection, watermarks, moved, sqlite=sqlite, then=_NEWER)
        memories: list[tuple[str, Any]] = [*self.memories.bees.dirty.items()]
        memories += [(COLONY, memory) for memory in self.memories.colonies.dirty.values()]
        texts = [{"bee": bee, "memory": msgspec.json.encode(memory).decode()} for bee, memory in memories]
        insert_many(self._connection, bee_state, texts, sqlite=sqlite, then=_REPLACED)
        changed = [incident_row(incident) for incident in self.incidents.saved.dirty.values() if incident is not None]
        self._many(incident_upsert(sqlite=sqlite), changed)

    def _many(self, statement: Any, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(statement, rows)

    def _read_states(self, reader: Reader, bees: Collection[str]) -> None:
        found = {row.bee: row for row in reader.of_bees("states", bees)}
        for bee in bees:
            row = found.get(bee)
            self.memories.load(bee, row.memory if row else None)
            self.outbox.sequences[bee] = row.sequence if row else 0

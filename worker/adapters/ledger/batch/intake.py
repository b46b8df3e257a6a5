"""Inbox and journal of a batch: which events came before is known from the beginning, new rows wait for the end."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from worker.adapters.ledger.batch.load import Pair, Reader
from worker.adapters.ledger.batch.state import Rows, Store, Undo, only_own
from worker.adapters.ledger.decisions import SqlDecisions, decision_row, recorded_of
from worker.adapters.ledger.inbox import SqlInbox
from worker.clock import from_us, to_us
from worker.decide.port import Recorded
from worker.errors import Conflict
from worker.intake.port import DeadLetter
from worker.ledger import NotInBatch


@only_own
class BatchInbox(SqlInbox):
    """The inbox inside a batch; dead letters are written at once, they depend on nothing."""

    def open(self, reader: Reader, undo: Undo, keys: Collection[Pair]) -> None:
        """Learn which of the events came before."""
        self._undo = undo
        self.known = {(row.source, row.event_id) for row in reader.of_pairs("inbox", keys)}
        # The inbox is pruned before the journal is: what was decided is not decided again.
        self.known |= {(row.source, row.event_id) for row in reader.of_pairs("decided", keys)}
        self.rows = Rows(undo)
        self._new: Store[Pair, dict[str, Any] | None] = Store(undo, lambda _: None)
        self.again: Store[Pair, int] = Store(undo, lambda _: 0)

    def arrived(self, source: str, event_id: str, type_: str, now: datetime) -> bool:
        """Record an event; False if it was recorded before (its deliveries are counted)."""
        key = (source, event_id)
        if key in self.known:
            self.again.put(key, self.again.get(key) + 1)
            return False
        first = self._new.get(key)
        if first is not None:
            before = first["deliveries"]
            self._undo.note(lambda: first.update(deliveries=before))
            first["deliveries"] = before + 1
            return False
        row = {
            "source": source,
            "event_id": event_id,
            "type": type_,
            "verdict": "open",
            "reason": None,
            "received_at": to_us(now),
            "deliveries": 1,
        }
        self._new.put(key, row)
        self.rows.add(row)
        return True

    def conclude(self, source: str, event_id: str, verdict: str, reason: str | None) -> None:
        """Record the verdict of an event that arrived in this batch."""
        row = self._new.get((source, event_id))
        if row is None:
            raise NotInBatch(event_id)
        row["verdict"], row["reason"] = verdict, reason

    def add_dead_letter(self, letter: DeadLetter) -> None:
        """Keep a message that was turned away; the same again counts a delivery."""
        super().add_dead_letter(letter)


@only_own
class BatchDecisions(SqlDecisions):
    """The journal and the watermarks inside a batch."""

    def open(self, reader: Reader, undo: Undo, known: Collection[Pair]) -> None:
        """Have the decisions about the `known` events at hand, read when the first of them is asked for."""
        self._reader = reader
        self._known = known
        self._read_known = False
        self._decided: Store[Pair, Recorded | None] = Store(undo, self._decision)
        self._new: dict[Pair, Recorded] = {}
        self._undo = undo
        self.marks: Store[Pair, datetime | None] = Store(undo, lambda key: super(BatchDecisions, self).watermark(*key))

    def add(self, decision: Recorded) -> None:
        """Append one decision."""
        key = decision.source, decision.event_id
        if key in self._new:
            raise Conflict(f"the event {decision.event_id} has a decision already")
        self._undo.note(self._new.pop, key)
        self._new[key] = decision

    def get(self, source: str, event_id: str) -> Recorded | None:
        """Return the decision about an event."""
        return self._new.get((source, event_id)) or self._decided.get((source, event_id))

    def watermark(self, bee: str, version: str) -> datetime | None:
        """Return the event time of the newest evaluation judged."""
        return self.marks.get((bee, version))

    def move_watermark(self, bee: str, version: str, to: datetime) -> None:
        """Record that an evaluation of that time was judged; it never goes back."""
        before = self.marks.get((bee, version))
        if before is None or before < to:
            self.marks.put((bee, version), to)

    def load_marks(self, pairs: Collection[Pair]) -> None:
        """Read the watermarks of (bee, version)."""
        found = {
            (row.bee, row.version): from_us(row.evaluated_at) for row in self._reader.of_pairs("watermarks", pairs)
        }
        for pair in pairs:
            self.marks.load(pair, found.get(pair))

    def decision_rows(self) -> list[dict[str, Any]]:
        """Return what is to be inserted."""
        return [decision_row(decision) for decision in self._new.values()]

    def _decision(self, key: Pair) -> Recorded | None:
        if key not in self._known:
            return None
        if not self._read_known:
            self._read_known = True
            for row in self._reader.of_pairs("decisions", self._known):
                self._decided.load((row.source, row.event_id), recorded_of(row))
            return self._decided.get(key)
        return None

"""The outbox inside a batch: events get their sequence when they are written, with the bees' locks held."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.adapters.ledger.batch.state import Rows, Undo, only_own
from worker.adapters.ledger.database import dumps, insert_into
from worker.adapters.ledger.outbox import SqlOutbox
from worker.adapters.ledger.tables import bee_state, outbox
from worker.clock import to_us
from worker.publish.events import event_id


@only_own
class BatchOutbox(SqlOutbox):
    """Events that leave with the batch."""

    def open(self, undo: Undo) -> None:
        """Begin with none."""
        self._rows = Rows(undo)
        self.sequences: dict[str, int] = {}

    def add(
        self, bee: str, type_: str, subject_id: str, transition: int, time: datetime, data: Mapping[str, Any]
    ) -> None:
        """Append an event with the bee's next sequence; one that is there already (same id) is not added again."""
        identity = event_id(type_, subject_id, transition)
        self._rows.add({"bee": bee, "id": identity, "type": type_, "time": to_us(time), "data": dumps(dict(data))})

    def flush(self) -> None:
        """Write the events that are new, each with its bee's next number; the bees' locks must be held."""
        rows: dict[str, dict[str, Any]] = {}
        for row in self._rows.rows:
            # What is told twice is told where it was told first.
            rows.setdefault(row["id"], row)
        known = self._known(list(rows))
        new = [row for row in rows.values() if row["id"] not in known]
        if not new:
            return
        bees = list(dict.fromkeys(row["bee"] for row in new))
        for row in new:
            row["sequence"] = self.sequences[row["bee"]] = self._sequence(row["bee"]) + 1
        insert = insert_into(bee_state, sqlite=self._database.sqlite)
        upsert = insert.on_conflict_do_update(index_elements=["bee"], set_={"sequence": insert.excluded.sequence})
        self._connection.execute(upsert, [{"bee": bee, "sequence": self.sequences[bee]} for bee in bees])
        self._connection.execute(outbox.insert(), new)

    def _sequence(self, bee: str) -> int:
        if bee not in self.sequences:
            found = self._connection.execute(sa.select(bee_state.c.sequence).where(bee_state.c.bee == bee)).scalar()
            self.sequences[bee] = int(found or 0)
        return self.sequences[bee]

    def _known(self, ids: list[str]) -> set[str]:
        if not ids:
            return set()
        return set(self._connection.execute(sa.select(outbox.c.id).where(outbox.c.id.in_(ids))).scalars())

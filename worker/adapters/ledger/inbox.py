"""`inbox` and `dead_letters`: what came in, once per (source, id), and what was turned away."""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from worker.adapters.ledger.database import Database, dumps, insert_into
from worker.adapters.ledger.tables import dead_letters, inbox
from worker.clock import from_us, to_us
from worker.intake.port import DeadLetter

#: Used for every event: made once, since making a statement costs more than executing it.
_IS = sa.and_(inbox.c.source == sa.bindparam("of_source"), inbox.c.event_id == sa.bindparam("of_id"))
AGAIN = inbox.update().where(_IS).values(deliveries=inbox.c.deliveries + 1)
AGAIN_BY = inbox.update().where(_IS).values(deliveries=inbox.c.deliveries + sa.bindparam("more"))
_CONCLUDE = inbox.update().where(_IS)
_DELIVERIES = sa.select(inbox.c.deliveries).where(_IS)


class SqlInbox:
    """The inbox inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._database = database
        self._connection = connection

    def arrived(self, source: str, event_id: str, type_: str, now: datetime) -> bool:
        """Record an event; False if it was recorded before (its deliveries are counted)."""
        row = {"source": source, "event_id": event_id, "type": type_, "verdict": "open", "received_at": to_us(now)}
        # What came back tells; an INSERT's row count is not known on every driver.
        if self._connection.execute(_first_arrival(sqlite=self._database.sqlite), {**row, "deliveries": 1}).first():
            return True
        self._connection.execute(AGAIN, {"of_source": source, "of_id": event_id})
        return False

    def conclude(self, source: str, event_id: str, verdict: str, reason: str | None) -> None:
        """Record the verdict."""
        concluded = {"of_source": source, "of_id": event_id, "verdict": verdict, "reason": reason}
        self._connection.execute(_CONCLUDE, concluded)

    def deliveries(self, source: str, event_id: str) -> int:
        """Return how often the event came."""
        return self._connection.execute(_DELIVERIES, {"of_source": source, "of_id": event_id}).scalar() or 0

    def add_dead_letter(self, letter: DeadLetter) -> None:
        """Keep a message that was turned away; the same again counts a delivery."""
        insert = self._database.insert(dead_letters).values(
            id=letter.id,
            source=letter.source,
            event_id=letter.event_id,
            reason=letter.reason,
            received_at=to_us(letter.received_at),
            deliveries=letter.deliveries,
            attributes=dumps(dict(letter.attributes)),
            body=letter.body,
        )
        again = {"deliveries": dead_letters.c.deliveries + 1, "reason": letter.reason}
        self._connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=again))

    def dead_letters(self) -> Sequence[DeadLetter]:
        """Return what was turned away, oldest first."""
        rows = self._connection.execute(sa.select(dead_letters).order_by(dead_letters.c.received_at, dead_letters.c.id))
        return [
            DeadLetter(
                id=row.id,
                source=row.source,
                event_id=row.event_id,
                reason=row.reason,
                received_at=from_us(row.received_at),
                deliveries=row.deliveries,
                attributes=json.loads(row.attributes),
                body=bytes(row.body),
            )
            for row in rows
        ]


@cache
def _first_arrival(*, sqlite: bool) -> Any:
    return insert_into(inbox, sqlite=sqlite).on_conflict_do_nothing().returning(inbox.c.deliveries)

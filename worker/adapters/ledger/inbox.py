"""`inbox` and `dead_letters`: what came in, once per (source, id), and what was turned away."""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from worker.adapters.ledger.database import Database, dumps, insert_into
from worker.adapters.ledger.tables import attempts, dead_letters, decisions, inbox
from worker.clock import from_us, to_us
from worker.intake.port import DeadLetter, Failure

#: Used for every event: made once, since making a statement costs more than executing it.
_IS = sa.and_(inbox.c.source == sa.bindparam("of_source"), inbox.c.event_id == sa.bindparam("of_id"))
AGAIN = inbox.update().where(_IS).values(deliveries=inbox.c.deliveries + 1)
AGAIN_BY = inbox.update().where(_IS).values(deliveries=inbox.c.deliveries + sa.bindparam("more"))
_CONCLUDE = inbox.update().where(_IS)
_DECIDED = sa.select(decisions.c.seq).where(
    decisions.c.source == sa.bindparam("of_source"), decisions.c.event_id == sa.bindparam("of_id")
)
_HISTORY = msgspec.json.Decoder(list[Failure])
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
            # The inbox is pruned before the journal is: what was decided is not decided again.
            return self._connection.execute(_DECIDED, {"of_source": source, "of_id": event_id}).first() is None
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
            message_id=letter.message_id,
            history=msgspec.json.encode(list(letter.history)).decode(),
        )
        again = {"deliveries": dead_letters.c.deliveries + 1, "reason": letter.reason}
        if letter.history:
            again["history"] = insert.excluded.history
        self._connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=again))

    def failed(self, id_: str, failure: Failure) -> Sequence[Failure]:
        """Record that handling a message failed; return every failure of it, oldest first."""
        found = self._connection.execute(sa.select(attempts.c.history).where(attempts.c.id == id_)).scalar()
        history = [*_HISTORY.decode(found or "[]"), failure]
        row = {"id": id_, "history": msgspec.json.encode(history).decode(), "changed_at": to_us(failure.at)}
        self._connection.execute(self._database.upsert(attempts, row, ["id"]))
        return history

    def forget_failures(self, ids: Sequence[str]) -> None:
        """Forget the failures of messages that have been dealt with."""
        self._connection.execute(attempts.delete().where(attempts.c.id.in_(list(ids))))

    def dead_letter(self, id_: str) -> DeadLetter | None:
        """Return one dead letter."""
        row = self._connection.execute(sa.select(dead_letters).where(dead_letters.c.id == id_)).first()
        return _letter(row) if row else None

    def requeued(self, id_: str, outcome: str, now: datetime) -> None:
        """Record that a dead letter was put back through the intake, and what became of it."""
        changed = dead_letters.update().where(dead_letters.c.id == id_)
        self._connection.execute(changed.values(requeued_at=to_us(now), requeued_as=outcome))

    def dead_letters(self) -> Sequence[DeadLetter]:
        """Return what was turned away, oldest first."""
        rows = self._connection.execute(sa.select(dead_letters).order_by(dead_letters.c.received_at, dead_letters.c.id))
        return [_letter(row) for row in rows]


def _letter(row: sa.Row[Any]) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        source=row.source,
        event_id=row.event_id,
        reason=row.reason,
        received_at=from_us(row.received_at),
        deliveries=row.deliveries,
        attributes=json.loads(row.attributes),
        body=bytes(row.body),
        message_id=row.message_id or "",
        history=tuple(_HISTORY.decode(row.history or "[]")),
        requeued_at=None if row.requeued_at is None else from_us(row.requeued_at),
        requeued_as=row.requeued_as or "",
    )


@cache
def _first_arrival(*, sqlite: bool) -> Any:
    return insert_into(inbox, sqlite=sqlite).on_conflict_do_nothing().returning(inbox.c.deliveries)

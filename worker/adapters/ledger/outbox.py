"""`outbox` and its leases: events that leave with the transaction that caused them, in order per bee."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.adapters.ledger import leasing
from worker.adapters.ledger.database import Database, dumps
from worker.adapters.ledger.tables import bee_state, outbox
from worker.clock import from_us, to_us
from worker.publish.events import event_id
from worker.publish.port import Outgoing


class SqlOutbox:
    """The outbox inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._database = database
        self._connection = connection

    def add(
        self, bee: str, type_: str, subject_id: str, transition: int, time: datetime, data: Mapping[str, Any]
    ) -> None:
        """Append an event with the bee's next sequence; one that is there already (same id) is not added again."""
        identity = event_id(type_, subject_id, transition)
        if self._connection.execute(sa.select(outbox.c.id).where(outbox.c.id == identity)).first():
            return
        # The update takes the bee's row lock, so that sequences commit in their own order.
        bump = self._database.insert(bee_state).values(bee=bee, sequence=1)
        bump = bump.on_conflict_do_update(index_elements=["bee"], set_={"sequence": bee_state.c.sequence + 1})
        sequence = self._connection.execute(bump.returning(bee_state.c.sequence)).scalar_one()
        row = {"bee": bee, "sequence": sequence, "id": identity, "type": type_, "time": to_us(time)}
        insert = self._database.insert(outbox).values(**row, data=dumps(dict(data)))
        insert = insert.on_conflict_do_nothing(index_elements=["id"]).returning(outbox.c.sequence)
        if not self._connection.execute(insert).first():
            # Another transaction added it between the look and the lock; the sequence is to have no gap.
            back = bee_state.update().where(bee_state.c.bee == bee)
            self._connection.execute(back.values(sequence=bee_state.c.sequence - 1))

    def list(self, *, bee: str | None = None) -> Sequence[tuple[Outgoing, bool]]:
        """Return events in order with whether each was published."""
        query = sa.select(outbox).order_by(outbox.c.bee, outbox.c.sequence)
        if bee is not None:
            query = sa.select(outbox).where(outbox.c.bee == bee).order_by(outbox.c.sequence)
        return [(outgoing(row), row.published_at is not None) for row in self._connection.execute(query)]

    def waiting(self) -> int:
        """Return how many have not been published."""
        query = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.published_at.is_(None))
        return int(self._connection.execute(query).scalar_one())

    def bees_waiting(self, limit: int) -> Sequence[str]:
        """Return bees that have unpublished events."""
        query = sa.select(outbox.c.bee).where(outbox.c.published_at.is_(None)).distinct().limit(limit)
        return [row.bee for row in self._connection.execute(query)]

    def unpublished(self, bee: str, limit: int) -> Sequence[Outgoing]:
        """Return a bee's unpublished events in the order of their sequence."""
        query = sa.select(outbox).where(outbox.c.bee == bee, outbox.c.published_at.is_(None))
        return [outgoing(row) for row in self._connection.execute(query.order_by(outbox.c.sequence).limit(limit))]

    def mark(self, bee: str, event_ids: Sequence[str], now: datetime) -> None:
        """Record that the bus confirmed these."""
        where = sa.and_(outbox.c.bee == bee, outbox.c.id.in_(event_ids))
        self._connection.execute(outbox.update().where(where).values(published_at=to_us(now)))

    def claim(self, bee: str, owner: str, *, lease_s: float) -> int | None:
        """Lease a bee's outbox and return the epoch; None if another process holds it."""
        return leasing.claim(self._database, self._connection, f"outbox:{bee}", owner, lease_s=lease_s)

    def holds(self, bee: str, epoch: int) -> None:
        """Check, with the lease's row locked, that the epoch is the newest. Raises LeaseLost."""
        leasing.check(self._database, self._connection, f"outbox:{bee}", epoch)

    def release(self, bee: str, epoch: int) -> None:
        """Give the lease back."""
        leasing.release(self._connection, f"outbox:{bee}", epoch)


def outgoing(row: sa.Row[tuple[object, ...]]) -> Outgoing:
    """Return the event of a row."""
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row by column
    return Outgoing(
        id=values["id"],
        type=values["type"],
        bee=values["bee"],
        sequence=values["sequence"],
        time=from_us(values["time"]),
        data=json.loads(values["data"]),
    )

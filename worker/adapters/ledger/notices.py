"""`notices` and `outbox.noticed_at`: what people were told by webhook, and what could not be told yet."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.adapters.ledger.database import Database
from worker.adapters.ledger.outbox import outgoing
from worker.adapters.ledger.tables import UNNOTICED, leases, notices, outbox
from worker.clock import from_us, to_us
from worker.errors import LeaseLost
from worker.publish.notice import Notice, Sent
from worker.publish.port import Outgoing

_LEASE = "webhook"


class SqlNotices:
    """Notices inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._database = database
        self._connection = connection

    def claim(self, owner: str, *, lease_s: float) -> int | None:
        """Take the right to send and return the epoch; None if another process has it."""
        now = self._database.now_us(self._connection)
        until = now + int(lease_s * 1_000_000)
        insert = self._database.insert(leases).values(name=_LEASE, owner=owner, until=until, epoch=1)
        taken = insert.on_conflict_do_update(
            index_elements=["name"],
            set_={"owner": owner, "until": until, "epoch": leases.c.epoch + 1},
            where=leases.c.until <= now,
        ).returning(leases.c.epoch)
        found = self._connection.execute(taken).scalar()
        return None if found is None else int(found)

    def holds(self, epoch: int) -> None:
        """Check, with the lease's row locked, that the epoch is the newest. Raises LeaseLost."""
        query = sa.select(leases.c.epoch).where(leases.c.name == _LEASE, leases.c.epoch == epoch)
        if self._connection.execute(query if self._database.sqlite else query.with_for_update()).first() is None:
            raise LeaseLost("the webhook was taken over")

    def release(self, epoch: int) -> None:
        """Give the right back."""
        where = sa.and_(leases.c.name == _LEASE, leases.c.epoch == epoch)
        self._connection.execute(leases.update().where(where).values(until=0, owner=None))

    def next(self, now: datetime, limit: int) -> Sequence[tuple[Outgoing, Notice | None]]:
        """Return each bee's first event that is still to be told, unless it is to be tried later only."""
        unnoticed = sa.text(f"outbox.{UNNOTICED.replace(' AND type', ' AND outbox.type')}")
        first = sa.select(outbox.c.bee, sa.func.min(outbox.c.sequence).label("sequence")).where(unnoticed)
        first_of = first.group_by(outbox.c.bee).subquery()
        joined = outbox.join(
            first_of, sa.and_(outbox.c.bee == first_of.c.bee, outbox.c.sequence == first_of.c.sequence)
        ).outerjoin(notices, notices.c.id == outbox.c.id)
        due = sa.or_(notices.c.next_at.is_(None), notices.c.next_at <= to_us(now))
        query = sa.select(outbox).select_from(joined).where(due).order_by(outbox.c.time, outbox.c.bee).limit(limit)
        events = [outgoing(row) for row in self._connection.execute(query)]
        known = {notice.id: notice for notice in self._found(notices.c.id.in_([event.id for event in events]))}
        return [(event, known.get(event.id)) for event in events]

    def save(self, notice: Notice) -> None:
        """Record an attempt; one that was taken, or is lost, is over."""
        self._connection.execute(self._database.upsert(notices, _row(notice), ["id"]))
        if notice.state is not Sent.FAILING:
            over = outbox.update().where(outbox.c.id == notice.id)
            self._connection.execute(over.values(noticed_at=to_us(notice.last_at)))

    def list(self, *, state: Sent | None = None, limit: int) -> Sequence[Notice]:
        """Return the newest attempts' notices, newest first."""
        where = sa.true() if state is None else notices.c.state == state.value
        return self._found(where, limit)

    def again(self, event_id: str) -> bool:
        """Let a notice that was lost be sent after all; False if there is none."""
        lost = sa.and_(notices.c.id == event_id, notices.c.state == Sent.LOST.value)
        if self._connection.execute(sa.select(notices.c.id).where(lost)).first() is None:
            return False
        self._connection.execute(notices.delete().where(lost))
        self._connection.execute(outbox.update().where(outbox.c.id == event_id).values(noticed_at=None))
        return True

    def _found(self, where: sa.ColumnElement[bool], limit: int | None = None) -> Sequence[Notice]:
        query = sa.select(notices).where(where).order_by(notices.c.last_at.desc(), notices.c.id).limit(limit)
        return [_notice(row) for row in self._connection.execute(query)]


def _row(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "bee": notice.bee,
        "type": notice.type,
        "attempts": notice.attempts,
        "first_at": to_us(notice.first_at),
        "last_at": to_us(notice.last_at),
        "next_at": to_us(notice.next_at),
        "state": notice.state.value,
        "error": notice.error,
    }


def _notice(row: sa.Row[tuple[object, ...]]) -> Notice:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row by column
    return Notice(
        id=values["id"],
        bee=values["bee"],
        type=values["type"],
        attempts=values["attempts"],
        first_at=from_us(values["first_at"]),
        last_at=from_us(values["last_at"]),
        next_at=from_us(values["next_at"]),
        state=Sent(values["state"]),
        error=values["error"],
    )

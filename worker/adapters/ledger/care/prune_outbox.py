"""Forget published events: of each bee the oldest ones up to the first that must stay, so that no gap comes about."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.adapters.ledger.database import Database
from worker.adapters.ledger.tables import UNNOTICED, notices, outbox
from worker.clock import to_us

#: A budget that is used up is told once in its month: known by its event, which must be there for so long.
_LEAST_BUDGET = timedelta(days=31)
#: (bee, its first event, the first that stays)
Span = tuple[str, int, int]


def spans(database: Database, age: timedelta, now: datetime, *, webhook: bool) -> list[Span]:
    """Return what is to go: events that were published before `age`.

    What the bus has not confirmed stays, and the newest event of each bee, which tells the number of the next one;
    definitions of features, which are told with each look at them; and with a webhook what people were not told yet.
    """
    before = to_us(now - age)
    budget = to_us(now - max(age, _LEAST_BUDGET))
    stays = sa.or_(
        outbox.c.published_at.is_(None),
        outbox.c.published_at >= before,
        outbox.c.type == "feature.defined",
        sa.and_(outbox.c.type == "budget.exceeded", outbox.c.published_at >= budget),
        sa.text(f"({UNNOTICED})") if webhook else sa.false(),
    )
    first = sa.func.min(outbox.c.sequence)
    kept = sa.func.min(sa.case((stays, outbox.c.sequence)))
    until = sa.func.coalesce(kept, sa.func.max(outbox.c.sequence))
    query = sa.select(outbox.c.bee, first, until).group_by(outbox.c.bee).having(until > first).order_by(outbox.c.bee)
    with database.begin(write=False) as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def delete(database: Database, found: list[Span], at_once: int) -> Iterator[int]:
    """Delete spans, the oldest events of a bee first; yield the count after each transaction."""
    waiting: list[Span] = []
    for bee, first, until in found:
        for start in range(first, until, at_once):
            waiting.append((bee, start, min(start + at_once, until)))
            if _size(waiting) >= at_once:
                yield _delete(database, waiting)
                waiting = []
    if waiting:
        yield _delete(database, waiting)


def _size(found: list[Span]) -> int:
    return sum(until - first for _, first, until in found)


def _delete(database: Database, found: list[Span]) -> int:
    column = outbox.c
    where = (
        column.bee == sa.bindparam("of"),
        column.sequence >= sa.bindparam("first"),
        column.sequence < sa.bindparam("until"),
    )
    with database.begin() as connection:
        rows = [{"of": bee, "first": first, "until": until} for bee, first, until in found]
        connection.execute(outbox.delete().where(*where), rows)
    return _size(found)


def told(age: timedelta, now: datetime) -> sa.ColumnElement[bool]:
    """Return which notices go: what became of one is told for as long as its event is there."""
    gone = sa.not_(sa.exists().where(outbox.c.id == notices.c.id))
    return sa.and_(notices.c.state != "failing", notices.c.last_at < to_us(now - age), gone)

"""`decisions` and `watermarks`: the journal, and how far each version has been judged."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from worker.adapters.ledger.database import Database, insert_into, quick_dumps
from worker.adapters.ledger.tables import decisions, watermarks
from worker.clock import from_us, to_us
from worker.decide.port import Recorded

#: Used for every event: made once, since making a statement costs more than executing it.
ADD = decisions.insert()
_WATERMARK = sa.select(watermarks.c.evaluated_at).where(
    watermarks.c.bee == sa.bindparam("of_bee"), watermarks.c.version == sa.bindparam("of_version")
)


class SqlDecisions:
    """The journal inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._database = database
        self._connection = connection

    def add(self, decision: Recorded) -> None:
        """Append one decision."""
        self._connection.execute(ADD, decision_row(decision))

    def get(self, source: str, event_id: str) -> Recorded | None:
        """Return the decision about an event."""
        where = sa.and_(decisions.c.source == source, decisions.c.event_id == event_id)
        row = self._connection.execute(sa.select(decisions).where(where)).first()
        return recorded_of(row) if row else None

    def named(self, event_id: str) -> Sequence[Recorded]:
        """Return the decisions about events of that id, one for each source that used it."""
        # Sources are few and events many: from source to source, and in each of them by the key.
        source = decisions.c.source
        sources = sa.select(sa.func.min(source).label("source")).cte("sources", recursive=True)
        following = sa.select(sa.func.min(source)).where(source > sources.c.source).scalar_subquery()
        sources = sources.union_all(sa.select(following).where(sources.c.source.is_not(None)))
        joined = sa.select(decisions).join(sources, source == sources.c.source)
        rows = self._connection.execute(joined.where(decisions.c.event_id == event_id).order_by(decisions.c.seq))
        return [recorded_of(row) for row in rows]

    def for_run(self, run_id: str) -> Recorded | None:
        """Return the decision that asked for a run; None if it was not an evaluation that did."""
        row = self._connection.execute(sa.select(decisions).where(decisions.c.run_id == run_id)).first()
        return recorded_of(row) if row else None

    def newest(self, bee: str, *, incident_id: str | None = None, until: datetime | None = None) -> Recorded | None:
        """Return the newest decision about a bee (that belongs to an incident; that was made until a time)."""
        query = sa.select(decisions).where(decisions.c.bee == bee).order_by(decisions.c.seq.desc()).limit(1)
        if incident_id is not None:
            query = query.where(decisions.c.incident_id == incident_id)
        if until is not None:
            query = query.where(decisions.c.decided_at <= to_us(until))
        row = self._connection.execute(query).first()
        return recorded_of(row) if row else None

    def list(self, *, bee: str | None = None, limit: int | None = None) -> Iterator[Recorded]:
        """Yield decisions in the order they were made (the last `limit` of them)."""
        query = sa.select(decisions)
        if bee is not None:
            query = query.where(decisions.c.bee == bee)
        if limit is not None:
            last = query.order_by(decisions.c.seq.desc()).limit(limit).subquery()
            query = sa.select(last).order_by(last.c.seq)
        else:
            query = query.order_by(decisions.c.seq)
        # A year of decisions does not fit into memory: PostgreSQL holds a cursor, SQLite steps.
        for row in self._connection.execute(query, execution_options={"yield_per": 500}):
            yield recorded_of(row)

    def page(
        self, *, bee: str | None = None, before: int | None = None, limit: int
    ) -> tuple[Sequence[Recorded], int | None]:
        """Return the newest `limit` decisions older than `before`, and what to go on before; None at the end."""
        query = sa.select(decisions).order_by(decisions.c.seq.desc()).limit(limit + 1)
        if bee is not None:
            query = query.where(decisions.c.bee == bee)
        if before is not None:
            query = query.where(decisions.c.seq < before)
        rows = self._connection.execute(query).all()
        page = rows[:limit]
        older = page[-1].seq if len(rows) > limit else None
        return [recorded_of(row) for row in reversed(page)], older

    def watermark(self, bee: str, version: str) -> datetime | None:
        """Return the event time of the newest evaluation judged."""
        found = self._connection.execute(_WATERMARK, {"of_bee": bee, "of_version": version}).scalar()
        return None if found is None else from_us(found)

    def move_watermark(self, bee: str, version: str, to: datetime) -> None:
        """Record that an evaluation of that time was judged; it never goes back."""
        row = {"bee": bee, "version": version, "evaluated_at": to_us(to)}
        self._connection.execute(newer_watermark(sqlite=self._database.sqlite), row)


@cache
def newer_watermark(*, sqlite: bool) -> Any:
    """Return the statement that moves watermarks forward, and never back."""
    insert = insert_into(watermarks, sqlite=sqlite)
    return insert.on_conflict_do_update(
        index_elements=["bee", "version"],
        set_={"evaluated_at": insert.excluded.evaluated_at},
        where=watermarks.c.evaluated_at < insert.excluded.evaluated_at,
    )


def decision_row(decision: Recorded) -> dict[str, Any]:
    """Return a decision as its row."""
    return {
        "source": decision.source,
        "event_id": decision.event_id,
        "bee": decision.bee,
        "model_version": decision.model_version,
        "evaluated_at": to_us(decision.evaluated_at),
        "decided_at": to_us(decision.decided_at),
        "action": decision.action,
        "reason": decision.reason,
        "rules": quick_dumps(list(decision.rules)),
        "run_id": decision.run_id,
        "incident_id": decision.incident_id,
        "policy_version": decision.policy_version,
        "evaluation": quick_dumps(dict(decision.evaluation)),
    }


def recorded_of(row: sa.Row[tuple[object, ...]]) -> Recorded:
    """Return the decision of a row."""
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row by column
    return Recorded(
        source=values["source"],
        event_id=values["event_id"],
        bee=values["bee"],
        model_version=values["model_version"],
        evaluated_at=from_us(values["evaluated_at"]),
        decided_at=from_us(values["decided_at"]),
        action=values["action"],
        reason=values["reason"],
        rules=json.loads(values["rules"]),
        run_id=values["run_id"],
        incident_id=values["incident_id"],
        policy_version=values["policy_version"],
        evaluation=json.loads(values["evaluation"]),
    )

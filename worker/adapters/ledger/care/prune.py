"""Forget what is old, a thousand rows at a time: a worker beside it waits for no longer than for another's batch."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from worker.adapters.ledger.database import Database
from worker.adapters.ledger.tables import (
    OPEN,
    UNNOTICED,
    attempts,
    decisions,
    engine_jobs,
    engine_tasks,
    inbox,
    incidents,
    outbox,
    runs,
)
from worker.clock import to_us
from worker.errors import Rejected

AT_ONCE = 1000
#: A bus may deliver for so long: what was forgotten earlier could be taken for new.
LEAST_INBOX = timedelta(days=31)


@dataclass(frozen=True)
class Keep:
    """How long things are kept; None: for ever.

    Attributes:
        inbox: which events came, at least 31 days.
        decisions: the journal; that of an incident which is not closed stays whole.
        published: events that the bus confirmed.
        runs: the directories of settled runs, and the engine's record of their steps.
    """

    inbox: timedelta | None = LEAST_INBOX
    decisions: timedelta | None = None
    published: timedelta | None = None
    runs: timedelta | None = None


def prune(database: Database, keep: Keep, now: datetime, *, runs_root: Path, dry_run: bool = False) -> dict[str, int]:
    """Delete what is older than it is kept; return how many of each.

    Args:
        database: the ledger's.
        keep: how long.
        now: the time.
        runs_root: only directories below it are removed.
        dry_run: count only.

    Raises:
        Rejected: the inbox is to be kept for less than 31 days.
        TryLater: the database is away; what was deleted until then stays deleted.
    """
    if keep.inbox is not None and keep.inbox < LEAST_INBOX:
        raise Rejected("the inbox tells repeats", field="inbox", mend=f"keep it {LEAST_INBOX.days} days or longer")
    found = {name: 0 for name, _ in _tables(keep, now)}
    for name, (table, old) in _tables(keep, now):
        found[name] = _count(database, table, old) if dry_run else _delete(database, table, old)
    if keep.runs is not None:
        found["run directories"] = _run_directories(database, now - keep.runs, runs_root, dry_run=dry_run)
    return found


def _tables(keep: Keep, now: datetime) -> Iterator[tuple[str, tuple[sa.Table, sa.ColumnElement[bool]]]]:
    if keep.inbox is not None:
        before = to_us(now - keep.inbox)
        yield "inbox", (inbox, inbox.c.received_at < before)
        yield "attempts", (attempts, attempts.c.changed_at < before)
    if keep.decisions is not None:
        standing = sa.select(incidents.c.id).where(sa.text(f"incidents.{OPEN}"))
        of_none = sa.or_(decisions.c.incident_id.is_(None), decisions.c.incident_id.not_in(standing))
        yield "decisions", (decisions, sa.and_(decisions.c.decided_at < to_us(now - keep.decisions), of_none))
    if keep.published is not None:
        old = outbox.c.published_at < to_us(now - keep.published)
        noticed = sa.text(f"NOT ({UNNOTICED})")
        # An event without a successor tells the number of the next one.
        later = outbox.alias("later")
        followed = sa.exists().where(later.c.bee == outbox.c.bee, later.c.sequence > outbox.c.sequence)
        yield "published", (outbox, sa.and_(old, noticed, followed))


def _count(database: Database, table: sa.Table, old: sa.ColumnElement[bool]) -> int:
    with database.begin(write=False) as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table).where(old)).scalar_one())


def _delete(database: Database, table: sa.Table, old: sa.ColumnElement[bool]) -> int:
    """Look for old rows outside of a write, so that nobody waits for the search; then delete those by their keys."""
    keys = list(table.primary_key)
    deleted = 0
    while True:
        with database.begin(write=False) as connection:
            rows = connection.execute(sa.select(*keys).where(old).limit(AT_ONCE)).all()
        if not rows:
            return deleted
        this = sa.and_(*(key == sa.bindparam(f"of_{key.name}") for key in keys))
        named = [{f"of_{key.name}": value for key, value in zip(keys, row, strict=True)} for row in rows]
        with database.begin() as connection:
            connection.execute(table.delete().where(this, old), named)
        deleted += len(rows)


def _run_directories(database: Database, before: datetime, root: Path, *, dry_run: bool) -> int:
    with database.begin(write=False) as connection:
        old = sa.select(runs.c.id, runs.c.frozen).where(runs.c.settled, runs.c.ended_at < to_us(before))
        found = [(row.id, _directory(row.frozen, root)) for row in connection.execute(old)]
    there = [(id_, path) for id_, path in found if path is not None and path.is_dir()]
    if not dry_run:
        for _, path in there:
            shutil.rmtree(path)
        for start in range(0, len(found), AT_ONCE):
            _forget_steps(database, [id_ for id_, _ in found[start : start + AT_ONCE]])
    return len(there)


def _forget_steps(database: Database, ids: list[str]) -> None:
    with database.begin() as connection:
        connection.execute(engine_tasks.delete().where(engine_tasks.c.run_id.in_(ids)))
        connection.execute(engine_jobs.delete().where(engine_jobs.c.run_id.in_(ids)))


def _directory(frozen: str | None, root: Path) -> Path | None:
    """Return where a run left its files, if that is a directory of its own below `root`."""
    given = json.loads(frozen or "{}").get("outputDir")
    if not isinstance(given, str) or "://" in given:
        return None
    path, base = Path(given).resolve(), root.resolve()
    return path if base in path.parents else None

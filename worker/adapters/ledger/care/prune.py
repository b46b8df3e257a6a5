"""Forget what is old, a thousand rows at a time: a worker beside it waits for no longer than for another's batch."""

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from worker.adapters.ledger.care import prune_outbox
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.tables import (
    OPEN,
    attempts,
    decisions,
    engine_jobs,
    engine_tasks,
    inbox,
    incidents,
    notices,
    runs,
)
from worker.clock import to_us
from worker.errors import Rejected

AT_ONCE = 1000
_DIRECTORIES_AT_ONCE = 50
#: A bus may deliver for so long: what was forgotten earlier could be taken for new.
LEAST_INBOX = timedelta(days=31)
#: What is deleted → by which of the durations.
_KINDS = {
    "inbox": "inbox",
    "attempts": "inbox",
    "decisions": "decisions",
    "published": "published",
    "notices": "published",
    "run directories": "runs",
}


@dataclass(frozen=True)
class Keep:
    """How long things are kept; None: for ever.

    Attributes:
        inbox: which events came, at least 31 days.
        decisions: the journal; that of an incident which is not closed stays whole.
        published: events that the bus confirmed; while one is the newest of its bee it stays, and so do definitions.
        runs: the directories of settled runs, and the engine's record of their steps; those of an incident that is not
            closed stay.
        webhook: whether people are told by webhook: what they were not told yet stays.
    """

    inbox: timedelta | None = LEAST_INBOX
    decisions: timedelta | None = None
    published: timedelta | None = None
    runs: timedelta | None = None
    webhook: bool = True


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
    found = {name: 0 for name, wanted in _KINDS.items() if getattr(keep, wanted) is not None}
    for name, count in _steps(database, keep, now, runs_root, dry_run=dry_run):
        found[name] += count
    return found


def steps(database: Database, keep: Keep, now: datetime, runs_root: Path) -> Iterator[int]:
    """Do the same bit by bit: yield after each step how many it deleted; whoever does it may rest in between."""
    for _, count in _steps(database, keep, now, runs_root, dry_run=False):
        yield count


def _steps(
    database: Database, keep: Keep, now: datetime, runs_root: Path, *, dry_run: bool
) -> Iterator[tuple[str, int]]:
    if keep.inbox is not None and keep.inbox < LEAST_INBOX:
        raise Rejected("the inbox tells repeats", field="inbox", mend=f"keep it {LEAST_INBOX.days} days or longer")
    for name, (table, old) in _tables(keep, now):
        counts = [_count(database, table, old)] if dry_run else _delete(database, table, old)
        yield from ((name, count) for count in counts)
    if keep.published is not None:
        yield from _published(database, keep, keep.published, now, dry_run=dry_run)
    if keep.runs is not None:
        counts = _run_directories(database, now - keep.runs, runs_root, dry_run=dry_run)
        yield from (("run directories", count) for count in counts)


def _published(
    database: Database, keep: Keep, age: timedelta, now: datetime, *, dry_run: bool
) -> Iterator[tuple[str, int]]:
    found = prune_outbox.spans(database, age, now, webhook=keep.webhook)
    told = prune_outbox.told(age, now)
    if dry_run:
        yield "published", sum(until - first for _, first, until in found)
        yield "notices", _count(database, notices, told)
        return
    yield from (("published", count) for count in prune_outbox.delete(database, found, AT_ONCE))
    yield from (("notices", count) for count in _delete(database, notices, told))


def _standing() -> sa.Select[tuple[str]]:
    """Return the ids of incidents that are not closed: all of their story stays."""
    return sa.select(incidents.c.id).where(sa.text(f"incidents.{OPEN}"))


def _tables(keep: Keep, now: datetime) -> Iterator[tuple[str, tuple[sa.Table, sa.ColumnElement[bool]]]]:
    if keep.inbox is not None:
        before = to_us(now - keep.inbox)
        yield "inbox", (inbox, inbox.c.received_at < before)
        yield "attempts", (attempts, attempts.c.changed_at < before)
    if keep.decisions is not None:
        of_none = sa.or_(decisions.c.incident_id.is_(None), decisions.c.incident_id.not_in(_standing()))
        yield "decisions", (decisions, sa.and_(decisions.c.decided_at < to_us(now - keep.decisions), of_none))


def _count(database: Database, table: sa.Table, old: sa.ColumnElement[bool]) -> int:
    with database.begin(write=False) as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table).where(old)).scalar_one())


def _delete(database: Database, table: sa.Table, old: sa.ColumnElement[bool]) -> Iterator[int]:
    """Look for old rows outside of a write, so that nobody waits for the search; then delete those by their keys."""
    keys = list(table.primary_key)
    while True:
        with database.begin(write=False) as connection:
            rows = connection.execute(sa.select(*keys).where(old).limit(AT_ONCE)).all()
        if not rows:
            return
        this = sa.and_(*(key == sa.bindparam(f"of_{key.name}") for key in keys))
        named = [{f"of_{key.name}": value for key, value in zip(keys, row, strict=True)} for row in rows]
        with database.begin() as connection:
            connection.execute(table.delete().where(this, old), named)
        yield len(rows)


def _run_directories(database: Database, before: datetime, root: Path, *, dry_run: bool) -> Iterator[int]:
    of_none = sa.or_(runs.c.incident_id.is_(None), runs.c.incident_id.not_in(_standing()))
    old = sa.select(runs.c.id, runs.c.frozen).where(runs.c.settled, runs.c.ended_at < to_us(before), of_none)
    last = ""
    while True:
        with database.begin(write=False) as connection:
            page = old.where(runs.c.id > last).order_by(runs.c.id).limit(_DIRECTORIES_AT_ONCE)
            found = [(row.id, _directory(row.frozen, root)) for row in connection.execute(page)]
        if not found:
            return
        last = found[-1][0]
        there = [path for _, path in found if path is not None and path.is_dir()]
        if not dry_run:
            for path in there:
                # Another process may be at the same.
                with suppress(FileNotFoundError):
                    shutil.rmtree(path)
            _forget_steps(database, [id_ for id_, _ in found])
        yield len(there)


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

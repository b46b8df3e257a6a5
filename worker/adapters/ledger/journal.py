"""The local engine's durable queue and task states, as two tables of the ledger."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.adapters.ledger.database import Database, dumps
from worker.adapters.ledger.tables import ACTIVE, engine_jobs, engine_tasks
from worker.clock import from_us, to_us
from worker.engine.port import Claim, Job, TaskRecord
from worker.engine.state import Status
from worker.errors import LeaseLost

_ACTIVE = sa.text(f"engine_jobs.{ACTIVE}")
_LOCK = (
    sa.select(sa.literal(1))
    .where(engine_jobs.c.run_id == sa.bindparam("run"), engine_jobs.c.lease_epoch == sa.bindparam("epoch"))
    .with_for_update()
)
_TO_CANCEL = sa.select(engine_jobs.c.run_id).where(
    engine_jobs.c.run_id.in_(sa.bindparam("runs", expanding=True)), engine_jobs.c.cancel_requested
)


class SqlJournal:
    """`worker.engine.port.Journal` on SQLite or PostgreSQL; each call is one transaction."""

    def __init__(self, database: Database) -> None:
        """Use a database whose tables exist."""
        self._database = database
        # Made once: to make it anew for each record costs more than the database takes to execute it.
        self._upsert = _upsert(database)

    def create(self, job: Job) -> bool:
        """Store a new job as QUEUED; False if the run id exists already. Raises TryLater."""
        last = sa.select(sa.func.coalesce(sa.func.max(engine_jobs.c.position), 0) + 1).scalar_subquery()
        values = {
            "run_id": job.run_id,
            "position": last,
            "spec": dumps(job.spec),
            "parameters": dumps(job.parameters),
            "output_dir": job.output_dir,
            "labels": dumps(job.labels),
            "status": str(Status.QUEUED),
            "cancel_requested": False,
            "lease_until": 0,
            "lease_epoch": 0,
        }
        statement = self._database.insert(engine_jobs).values(**values).on_conflict_do_nothing()
        statement = statement.returning(engine_jobs.c.run_id)
        with self._database.begin() as connection:
            return connection.execute(statement).first() is not None

    def job(self, run_id: str) -> Job | None:
        """Return a job. Raises TryLater."""
        with self._database.begin(write=False) as connection:
            row = connection.execute(sa.select(engine_jobs).where(engine_jobs.c.run_id == run_id)).one_or_none()
        return None if row is None else _job(row)

    def tasks(self, run_id: str) -> Sequence[TaskRecord]:
        """Return the tasks recorded so far, in order of their first record. Raises TryLater."""
        query = sa.select(engine_tasks).where(engine_tasks.c.run_id == run_id).order_by(engine_tasks.c.position)
        with self._database.begin(write=False) as connection:
            return [_task(row) for row in connection.execute(query)]

    def claim(self, owner: str, *, limit: int, lease_s: float) -> Sequence[Claim]:
        """Lease up to `limit` jobs, oldest first, that have not ended and whose lease is free. Raises TryLater."""
        if limit < 1 or not self._claimable(limit):
            return []
        with self._database.begin() as connection:
            now = self._database.now_us(connection)
            free = self._free(now).limit(limit).with_for_update(skip_locked=True)
            found = [row.run_id for row in connection.execute(free)]
            changed = (
                sa.update(engine_jobs)
                .where(engine_jobs.c.run_id.in_(found))
                .values(lease_owner=owner, lease_until=now + _us(lease_s), lease_epoch=engine_jobs.c.lease_epoch + 1)
                .returning(engine_jobs.c.run_id, engine_jobs.c.lease_epoch)
            )
            epochs = {row.run_id: row.lease_epoch for row in connection.execute(changed)}
        return [Claim(run_id, epochs[run_id]) for run_id in found]

    def renew(self, claims: Sequence[Claim], *, lease_s: float) -> Sequence[Claim]:
        """Extend leases and return those that still hold. Raises TryLater."""
        if not claims:
            return []
        with self._database.begin() as connection:
            until = self._database.now_us(connection) + _us(lease_s)
            return [
                claim
                for claim in sorted(claims, key=lambda claim: claim.run_id)
                if connection.execute(_held(claim).values(lease_until=until)).rowcount
            ]

    def release(self, claim: Claim) -> None:
        """Give a lease back, so that another process can claim at once; one that is lost stays lost."""
        with self._database.begin() as connection:
            connection.execute(_held(claim).values(lease_owner=None, lease_until=0, lease_epoch=claim.epoch + 1))

    def record(
        self, claim: Claim, tasks: Sequence[TaskRecord], status: Status | None = None, error: str | None = None
    ) -> None:
        """Insert or replace tasks' states, and set the job's status if one is given. Raises LeaseLost, TryLater."""
        with self._database.begin() as connection:
            held = {"run": claim.run_id, "epoch": claim.epoch}
            if status is not None:
                changed = {"status": str(status), "error": _storable(error)}
                ended = {"lease_owner": None, "lease_until": 0, "lease_epoch": claim.epoch + 1} if status.ended else {}
                found = connection.execute(_held(claim).values(**changed, **ended)).rowcount
            else:
                found = connection.execute(_LOCK, held).scalar_one_or_none() or 0
            if not found:
                raise _lost(claim)
            for task in tasks:
                connection.execute(self._upsert, _row(claim.run_id, task))

    def to_cancel(self, run_ids: Sequence[str]) -> Collection[str]:
        """Return those of the runs that are marked for cancellation. Raises TryLater."""
        with self._database.begin(write=False) as connection:
            return set(connection.execute(_TO_CANCEL, {"runs": list(run_ids)}).scalars())

    def request_cancel(self, run_id: str) -> None:
        """Mark a job for cancellation; one that waits unclaimed is CANCELLED at once, an ended one is left alone."""
        with self._database.begin() as connection:
            now = self._database.now_us(connection)
            this = sa.update(engine_jobs).where(engine_jobs.c.run_id == run_id, _ACTIVE)
            connection.execute(this.values(cancel_requested=True))
            waiting = (engine_jobs.c.status == str(Status.QUEUED), engine_jobs.c.lease_until <= now)
            connection.execute(
                this.where(*waiting).values(status=str(Status.CANCELLED), error="cancelled before it began")
            )

    def _claimable(self, limit: int) -> bool:
        """Whether there may be something to claim: a read, so that an idle worker never waits for the write lock."""
        with self._database.begin(write=False) as connection:
            free = self._free(self._database.now_us(connection)).limit(limit)
            return connection.execute(free).first() is not None

    def _free(self, now: int) -> sa.Select[Any]:
        return (
            sa.select(engine_jobs.c.run_id)
            .where(_ACTIVE, engine_jobs.c.lease_until <= now)
            .order_by(engine_jobs.c.position, engine_jobs.c.run_id)
        )


def _upsert(database: Database) -> Any:
    """Return the statement that inserts or replaces a task's state; `_row` gives its parameters."""
    of_run = sa.select(sa.func.coalesce(sa.func.max(engine_tasks.c.position), 0) + 1)
    position = of_run.where(engine_tasks.c.run_id == sa.bindparam("of_run_id")).scalar_subquery()
    names = [column.name for column in engine_tasks.columns if column.name != "position"]
    values = {**{name: sa.bindparam(f"of_{name}") for name in names}, "position": position}
    return database.upsert(engine_tasks, values, ("run_id", "path"), ("position",))


def _row(run_id: str, task: TaskRecord) -> dict[str, Any]:
    return {
        "of_run_id": run_id,
        "of_path": task.path,
        "of_status": str(task.status),
        "of_attempt": task.attempt,
        "of_pid": task.pid,
        "of_started_at": _stored(task.started_at),
        "of_ended_at": _stored(task.ended_at),
        "of_exit_code": task.exit_code,
        "of_error": _storable(task.error),
        "of_log_tail": _storable(task.log_tail),
        "of_outputs": dumps(task.outputs),
    }


def _held(claim: Claim) -> sa.Update:
    return sa.update(engine_jobs).where(engine_jobs.c.run_id == claim.run_id, engine_jobs.c.lease_epoch == claim.epoch)


def _lost(claim: Claim) -> LeaseLost:
    return LeaseLost(f"run {claim.run_id} has been taken over (epoch {claim.epoch} is past)")


def _us(seconds: float) -> int:
    return int(seconds * 1_000_000)


def _stored(moment: datetime | None) -> int | None:
    return None if moment is None else to_us(moment)


def _storable(text: str | None) -> str | None:
    """Return the text as every database takes it: without NUL and lone surrogates."""
    return None if text is None else text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _job(row: sa.Row[Any]) -> Job:
    return Job(
        run_id=row.run_id,
        spec=json.loads(row.spec),
        parameters=json.loads(row.parameters),
        output_dir=row.output_dir,
        labels=json.loads(row.labels),
        status=Status(row.status),
        error=row.error,
        cancel_requested=row.cancel_requested,
    )


def _task(row: sa.Row[Any]) -> TaskRecord:
    return TaskRecord(
        path=row.path,
        status=Status(row.status),
        attempt=row.attempt,
        pid=row.pid,
        started_at=None if row.started_at is None else from_us(row.started_at),
        ended_at=None if row.ended_at is None else from_us(row.ended_at),
        exit_code=row.exit_code,
        error=row.error,
        log_tail=row.log_tail,
        outputs=json.loads(row.outputs),
    )

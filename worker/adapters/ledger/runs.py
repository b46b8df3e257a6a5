"""`runs` and `run_steps`: every run, its leases, and the live state of its steps."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from worker.adapters.ledger.database import Database, dumps
from worker.adapters.ledger.locks import lock_bees
from worker.adapters.ledger.tables import run_steps, runs
from worker.clock import from_us, to_us
from worker.costs.estimate import Past, Window
from worker.costs.summary import RunCost
from worker.duration import parse_duration
from worker.engine.state import Status
from worker.errors import Conflict, LeaseLost
from worker.runs.lifecycle import Run, Verdict
from worker.runs.port import CostFilter, Lease, RunFilter, StepState

#: Asked for every event: made once, since making a statement costs more than executing it.
_IN_FLIGHT = sa.select(runs).where(runs.c.bee == sa.bindparam("of_bee"), runs.c.loop, sa.not_(runs.c.settled))

#: Verdicts of runs that say nothing of what a whole one costs.
_CUT_SHORT = (Verdict.CANCELLED.value, Verdict.FAILED.value)
#: What of a run tells its cost.
_COSTS = (
    *("id", "bee", "template", "incident_id", "attempt", "created_at", "settled", "estimate"),
    *("cost", "settled_cost", "billed_cost", "cost_basis"),
)


class SqlRuns:
    """Runs inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._database = database
        self._connection = connection

    def add(self, run: Run) -> None:
        """Store a new run. Raises Conflict if the id exists, or the bee has a loop run in flight."""
        try:
            with self._database.savepoint(self._connection):
                self._connection.execute(runs.insert().values(**run_row(run)))
        except IntegrityError as error:
            if self.get(run.id):
                raise Conflict(f"run {run.id} exists already") from error
            raise Conflict(f"bee {run.bee} has a run in flight") from error

    def get(self, run_id: str) -> Run | None:
        """Return one run."""
        row = self._connection.execute(sa.select(runs).where(runs.c.id == run_id)).first()
        return run_of(row) if row else None

    def list(
        self, *, bee: str | None = None, template: str | None = None, settled: bool | None = None
    ) -> Sequence[Run]:
        """Return runs, newest first."""
        query = sa.select(runs).order_by(runs.c.created_at.desc(), runs.c.id)
        if bee is not None:
            query = query.where(runs.c.bee == bee)
        if template is not None:
            query = query.where(runs.c.template == template)
        if settled is not None:
            query = query.where(runs.c.settled if settled else sa.not_(runs.c.settled))
        return [run_of(row) for row in self._connection.execute(query)]

    def page(self, which: RunFilter, *, before: tuple[datetime, str] | None = None, limit: int) -> Sequence[Run]:
        """Return up to `limit` runs, newest first by (created_at, id), all of them older than `before`."""
        query = sa.select(runs).order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit)
        wanted = ((runs.c.bee, which.bee), (runs.c.template, which.template), (runs.c.status, which.status))
        query = query.where(*(column == value for column, value in wanted if value is not None))
        if which.since is not None:
            query = query.where(runs.c.created_at >= to_us(which.since))
        if before is not None:
            query = query.where(sa.tuple_(runs.c.created_at, runs.c.id) < sa.tuple_(to_us(before[0]), before[1]))
        return [run_of(row) for row in self._connection.execute(query)]

    def in_flight(self, bee: str) -> Run | None:
        """Return the bee's loop run that has not been settled."""
        row = self._connection.execute(_IN_FLIGHT, {"of_bee": bee}).first()
        return run_of(row) if row else None

    def incidents_in_flight(self) -> int:
        """Return how many runs of incidents have not been settled, of all bees."""
        query = (
            sa.select(sa.func.count()).select_from(runs).where(sa.not_(runs.c.settled), runs.c.incident_id.is_not(None))
        )
        return int(self._connection.execute(query).scalar_one())

    def past(self, template: str, bee: str | None, *, limit: int) -> Sequence[Past]:
        """Return the newest settled runs of a template whose cost is known, newest first: a bee's, or of all bees."""
        query = sa.select(runs.c.cost, runs.c.rows).where(runs.c.template == template, runs.c.cost.is_not(None))
        whole = sa.or_(runs.c.verdict.is_(None), runs.c.verdict.not_in(_CUT_SHORT))
        query = query.where(whole, *(() if bee is None else (runs.c.bee == bee,)))
        query = query.order_by(runs.c.created_at.desc(), runs.c.id).limit(limit)
        return [Past(row.cost, row.rows) for row in self._connection.execute(query)]

    def newest_window(self, bee: str) -> Window | None:
        """Return the newest data window of a bee's runs of which the size is known."""
        query = sa.select(runs.c.rows, runs.c.frozen).where(runs.c.bee == bee, runs.c.rows > 0)
        row = self._connection.execute(query.order_by(runs.c.created_at.desc(), runs.c.id).limit(1)).first()
        if row is None:
            return None
        window = parse_duration(((json.loads(row.frozen or "{}").get("bee")) or {}).get("window"))
        return Window(row.rows, window if isinstance(window, timedelta) else timedelta(0))

    def costs(self, which: CostFilter) -> Sequence[RunCost]:
        """Return what runs cost, oldest first."""
        query = sa.select(*(runs.c[name] for name in _COSTS)).order_by(runs.c.created_at, runs.c.id)
        if which.since is not None:
            query = query.where(runs.c.created_at >= to_us(which.since))
        if which.until is not None:
            query = query.where(runs.c.created_at < to_us(which.until))
        wanted = ((runs.c.incident_id, which.incident), (runs.c.bee, which.bee))
        query = query.where(*(column == value for column, value in wanted if value is not None))
        return [_cost_of(row) for row in self._connection.execute(query)]

    def save(self, run: Run) -> None:
        """Replace a run."""
        self._connection.execute(runs.update().where(runs.c.id == run.id).values(**run_row(run)))

    def unsettled(self) -> int:
        """Return how many runs have not been settled."""
        query = sa.select(sa.func.count()).select_from(runs).where(sa.not_(runs.c.settled))
        return int(self._connection.execute(query).scalar_one())

    def claim(self, owner: str, *, limit: int, lease_s: float) -> Sequence[Lease]:
        """Lease runs that have not been settled and that nobody holds, by the database's clock."""
        now = self._database.now_us(self._connection)
        free = sa.select(runs.c.id, runs.c.lease_epoch).where(sa.not_(runs.c.settled), runs.c.lease_until <= now)
        free = free.order_by(runs.c.created_at).limit(limit)
        if not self._database.sqlite:
            free = free.with_for_update(skip_locked=True)
        leases = [Lease(row.id, row.lease_epoch + 1) for row in self._connection.execute(free)]
        until = now + int(lease_s * 1_000_000)
        for lease in leases:
            values = {"lease_owner": owner, "lease_until": until, "lease_epoch": lease.epoch}
            self._connection.execute(runs.update().where(runs.c.id == lease.run_id).values(**values))
        return leases

    def hold(self, lease: Lease) -> Run:
        """Return the run under a lease, its row locked, and before it its bee's. Raises LeaseLost.

        Every change of a run happens under its bee's lock, taken first: so an operator's cancellation and a loop that
        moves the run neither overwrite nor dead-lock each other.
        """
        bee = self._connection.execute(sa.select(runs.c.bee).where(runs.c.id == lease.run_id)).scalar()
        if bee is not None and not self._database.sqlite:
            lock_bees(self._database, self._connection, [bee])
        query = sa.select(runs).where(runs.c.id == lease.run_id, runs.c.lease_epoch == lease.epoch)
        row = self._connection.execute(query if self._database.sqlite else query.with_for_update()).first()
        if row is None:
            raise LeaseLost(f"run {lease.run_id} was taken over")
        return run_of(row)

    def release(self, lease: Lease, *, again_after_s: float) -> None:
        """Give a lease back; nobody claims the run again before that many seconds, unless `look_now` asks for it."""
        until = self._database.now_us(self._connection) + int(again_after_s * 1_000_000)
        held = sa.and_(runs.c.id == lease.run_id, runs.c.lease_epoch == lease.epoch, runs.c.lease_owner.is_not(None))
        self._connection.execute(runs.update().where(held).values(lease_until=until, lease_owner=None))

    def look_now(self, run_id: str) -> bool:
        """Let the run be claimed at once; return whether there is such a run that has not been settled.

        A lease that somebody holds loses its end and its owner, so that giving it back lets nobody wait; until the
        next claim what is written under it counts.
        """
        which = sa.and_(runs.c.id == run_id, sa.not_(runs.c.settled))
        changed = self._connection.execute(runs.update().where(which).values(lease_until=0, lease_owner=None))
        return bool(changed.rowcount)

    def save_steps(self, run_id: str, steps: Sequence[StepState]) -> None:
        """Record the run's step states; one that has begun and that the engine names no more stays as it was.

        One that has not begun and is named no more stood for steps that are known by now, as those of a loop.
        """
        named = [step.step_id for step in steps]
        waiting = run_steps.c.status.in_([Status.PENDING.value, Status.QUEUED.value])
        gone = sa.and_(run_steps.c.run_id == run_id, waiting, run_steps.c.step_id.not_in(named))
        if named:
            self._connection.execute(run_steps.delete().where(gone))
        for position, step in enumerate(steps):
            row = {
                "run_id": run_id,
                "step_id": step.step_id,
                "position": position,
                "status": step.status.value,
                "attempt": step.attempt,
                "started_at": None if step.started_at is None else to_us(step.started_at),
                "ended_at": None if step.ended_at is None else to_us(step.ended_at),
                "error": step.error,
                "log_tail": step.log_tail,
                "machine": step.machine,
            }
            self._connection.execute(self._database.upsert(run_steps, row, ["run_id", "step_id"]))

    def steps(self, run_id: str) -> Sequence[StepState]:
        """Return the run's step states in order."""
        query = (
            sa.select(run_steps).where(run_steps.c.run_id == run_id).order_by(run_steps.c.position, run_steps.c.step_id)
        )
        return [
            StepState(
                step_id=row.step_id,
                status=Status(row.status),
                attempt=row.attempt,
                started_at=None if row.started_at is None else from_us(row.started_at),
                ended_at=None if row.ended_at is None else from_us(row.ended_at),
                error=row.error,
                log_tail=row.log_tail,
                machine=row.machine,
            )
            for row in self._connection.execute(query)
        ]


def run_row(run: Run) -> dict[str, Any]:
    """Return a run as its row."""
    return {
        "id": run.id,
        "template": run.template,
        "bee": run.bee,
        "incident_id": run.incident_id,
        "attempt": run.attempt,
        "trigger": run.trigger,
        "reason": run.reason,
        "as_of": to_us(run.as_of),
        "parameters": dumps(dict(run.parameters)),
        "frozen": None if run.frozen is None else dumps(dict(run.frozen)),
        "status": run.status.value,
        "error": run.error,
        "created_at": to_us(run.created_at),
        "started_at": None if run.started_at is None else to_us(run.started_at),
        "ended_at": None if run.ended_at is None else to_us(run.ended_at),
        "transition": run.transition,
        "cancel_requested": run.cancel_requested,
        "settled": run.settled,
        "verdict": None if run.verdict is None else run.verdict.value,
        "outcome": None if run.outcome is None else dumps(dict(run.outcome)),
        "loop": run.loop,
        "estimate": run.estimate,
        "cost": run.cost,
        "estimate_basis": run.estimate_basis,
        "settled_cost": run.settled_cost,
        "cost_basis": run.cost_basis,
        "billed_cost": run.billed_cost,
        "billed_at": None if run.billed_at is None else to_us(run.billed_at),
        "rows": run.rows,
    }


def run_of(row: sa.Row[tuple[object, ...]]) -> Run:
    """Return the run of a row."""
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row by column
    return Run(
        id=values["id"],
        template=values["template"],
        bee=values["bee"],
        incident_id=values["incident_id"],
        attempt=values["attempt"],
        trigger=values["trigger"],
        reason=values["reason"],
        as_of=from_us(values["as_of"]),
        parameters=json.loads(values["parameters"]),
        frozen=None if values["frozen"] is None else json.loads(values["frozen"]),
        status=Status(values["status"]),
        error=values["error"],
        created_at=from_us(values["created_at"]),
        started_at=None if values["started_at"] is None else from_us(values["started_at"]),
        ended_at=None if values["ended_at"] is None else from_us(values["ended_at"]),
        transition=values["transition"],
        cancel_requested=bool(values["cancel_requested"]),
        settled=bool(values["settled"]),
        verdict=None if values["verdict"] is None else Verdict(values["verdict"]),
        outcome=None if values["outcome"] is None else json.loads(values["outcome"]),
        loop=bool(values["loop"]),
        estimate=values["estimate"],
        cost=values["cost"],
        estimate_basis=values["estimate_basis"] or "",
        settled_cost=_settled_cost(values),
        cost_basis=values["cost_basis"] or "",
        billed_cost=values["billed_cost"],
        billed_at=None if values["billed_at"] is None else from_us(values["billed_at"]),
        rows=values["rows"],
    )


def _cost_of(row: sa.Row[Any]) -> RunCost:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row by column
    return RunCost(
        run=values["id"],
        bee=values["bee"],
        template=values["template"],
        created_at=from_us(values["created_at"]),
        incident=values["incident_id"],
        attempt=values["attempt"],
        over=bool(values["settled"]),
        estimated=values["estimate"],
        settled=_settled_cost(values),
        billed=values["billed_cost"],
        cost=values["cost"],
        basis=values["cost_basis"] or "",
    )


def _settled_cost(values: Any) -> float | None:
    """Return what settling found; a worker that knew no bill kept it as the cost alone."""
    unbilled = values["settled_cost"] is None and values["billed_cost"] is None
    found: float | None = values["cost"] if unbilled else values["settled_cost"]
    return found

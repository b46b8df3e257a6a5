"""What the ledger keeps of costs: every figure of a run, and of each step its machine."""

from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from tests.worker import world
from tests.worker.world import BEE, NOW
from worker.adapters.ledger.sql import SqlLedger
from worker.adapters.ledger.tables import runs
from worker.costs.estimate import Past, Window
from worker.engine.state import Status
from worker.runs.lifecycle import Run
from worker.runs.port import CostFilter, StepState


def _saved(ledger: SqlLedger, key: str = "k", *, created: datetime = NOW, **changes: object) -> Run:
    run = world.ask_for_run(ledger, key)
    with ledger.begin() as transaction:
        transaction.runs.save(
            replace(run, created_at=created, status=Status.SUCCEEDED, settled=True, **changes)  # type: ignore[arg-type]
        )
    return world.get_run(ledger, run.id)


def test_every_figure_is_kept(ledger: SqlLedger) -> None:
    """Estimate, settled, billed and what each stands on come back as they were."""
    figures = {
        "estimate": 0.1, "estimate_basis": "median of 5", "cost": 0.3, "settled_cost": 0.2, "cost_basis": "6 steps",
        "billed_cost": 0.3, "billed_at": NOW, "rows": 2180,
    }  # fmt: skip

    run = _saved(ledger, **figures)

    assert {name: getattr(run, name) for name in figures} == figures


def test_a_run_that_an_older_worker_settled(ledger: SqlLedger) -> None:
    """It kept only the cost: that is what was settled. Once a bill came, what was settled is not known."""
    old, billed = _saved(ledger, "old"), _saved(ledger, "billed", billed_cost=0.4, cost=0.4)
    with ledger.begin() as transaction:
        transaction.runs._connection.execute(  # type: ignore[attr-defined] # as an older worker writes
            sa.update(runs).where(runs.c.id == old.id).values(cost=0.2)
        )

    assert world.get_run(ledger, old.id).settled_cost == 0.2
    assert world.get_run(ledger, billed.id).settled_cost is None


def test_a_steps_machine_is_kept(ledger: SqlLedger) -> None:
    """A step of Vertex has its machine, one that ran here has none."""
    run = world.ask_for_run(ledger)
    steps = [StepState("a", Status.SUCCEEDED, machine="cpu=8"), StepState("b", Status.SUCCEEDED)]
    with ledger.begin() as transaction:
        transaction.runs.save_steps(run.id, steps)
    with ledger.begin(write=False) as transaction:
        assert [step.machine for step in transaction.runs.steps(run.id)] == ["cpu=8", None]


def test_costs_of_a_span_and_of_an_incident(ledger: SqlLedger) -> None:
    """The beginning belongs to a span, its end does not; an incident has its own runs; the oldest comes first."""
    for day in range(3):
        _saved(ledger, str(day), created=NOW + timedelta(days=day), cost=float(day), incident_id=f"i{day % 2}")

    def told(which: CostFilter) -> list[float | None]:
        with ledger.begin(write=False) as transaction:
            return [one.cost for one in transaction.runs.costs(which)]

    assert told(CostFilter()) == [0.0, 1.0, 2.0]
    assert told(CostFilter(since=NOW + timedelta(days=1), until=NOW + timedelta(days=2))) == [1.0]
    assert told(CostFilter(incident="i0", bee=BEE.bee)) == [0.0, 2.0]
    assert told(CostFilter(bee="nobody")) == []


def test_the_newest_come_first(ledger: SqlLedger) -> None:
    """What runs cost lately, up to a number, and the size of the newest window that told one."""
    frozen = {"bee": BEE.frozen()}
    for day in range(4):
        rows = None if day == 3 else day * 100
        _saved(ledger, str(day), created=NOW + timedelta(days=day), cost=float(day), rows=rows, frozen=frozen)

    with ledger.begin(write=False) as transaction:
        past = transaction.runs.past("auto-retrain", BEE.bee, limit=2)
        window = transaction.runs.newest_window(BEE.bee)

    assert list(past) == [Past(3.0, None), Past(2.0, 200)]
    assert window == Window(200, BEE.window)


def test_in_a_batch_they_are_the_same(ledger: SqlLedger) -> None:
    """A batch of events reads what an ordinary transaction does."""
    _saved(ledger, cost=0.3, rows=100, frozen={"bee": BEE.frozen()})

    with ledger.batch([("source", "id")], [BEE.bee]) as batch:
        assert list(batch.runs.past("auto-retrain", None, limit=5)) == [Past(0.3, 100)]
        assert batch.runs.newest_window(BEE.bee) == Window(100, BEE.window)
        assert batch.runs.newest_window("nobody") is None

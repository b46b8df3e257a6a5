"""What a run will cost, from the ledger: in its row, in the guards, and in what people are asked."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.worker import world
from tests.worker.runs.colony import Colony
from tests.worker.runs.loop import Loop
from tests.worker.world import BEE, BEES, NOW
from worker.adapters.ledger.sql import SqlLedger
from worker.bee import BeeSpec
from worker.costs.estimate import Estimate
from worker.decide.policy import Approval, Budget, Policy
from worker.engine.state import Status
from worker.runs.estimates import estimated
from worker.runs.launch import Launcher
from worker.runs.lifecycle import Run, Verdict, run_id

OTHER = next(bee for name, bee in BEES.items() if name != BEE.bee)
TYPICAL = Estimate(0.5, "typical")


def _over(
    ledger: SqlLedger, cost: float | None, *, bee: str = BEE.bee, rows: int | None = None, **changes: object
) -> None:
    """Put a settled run into the ledger."""
    with ledger.begin() as transaction:
        number = len(transaction.runs.list())
        run = Run(
            run_id("auto-retrain", bee, str(number)), "auto-retrain", bee, "manual", "a test", NOW,
            NOW + timedelta(minutes=number), status=Status.SUCCEEDED, settled=True, verdict=Verdict.REJECTED,
            cost=cost, rows=rows, frozen={"bee": BEES[bee].frozen()},
        )  # fmt: skip
        transaction.runs.add(replace(run, **changes))  # type: ignore[arg-type]


def _estimated(ledger: SqlLedger, bee: BeeSpec = BEE) -> Estimate:
    with ledger.begin(write=False) as transaction:
        return estimated(bee, "auto-retrain", transaction, lambda _: TYPICAL)


def test_the_median_of_the_bees_own_runs(ledger: SqlLedger) -> None:
    """Five runs of the bee, one of them odd: the middle one counts, and the sentence says so."""
    for cost in (0.3, 0.1, 50.0, 0.2, 0.15):
        _over(ledger, cost)
    _over(ledger, 9.0, bee=OTHER.bee)

    assert _estimated(ledger) == Estimate(0.2, "median of 5 runs of auto-retrain for spam-guard")


def test_runs_that_say_nothing_are_left_out(ledger: SqlLedger) -> None:
    """A run whose cost is not known, that failed, was cancelled, or is of another template says nothing."""
    _over(ledger, 0.2)
    _over(ledger, None)
    _over(ledger, 0.001, verdict=Verdict.FAILED)
    _over(ledger, 0.001, verdict=Verdict.CANCELLED)
    _over(ledger, 7.0, template="experiment")

    assert _estimated(ledger) == Estimate(0.2, "the only run of auto-retrain for spam-guard")


def test_other_bees_where_the_bee_has_none(ledger: SqlLedger) -> None:
    """A new bee is thought to cost what the template costs over all bees; without any run it is the typical one."""
    assert _estimated(ledger) is TYPICAL
    _over(ledger, 0.4, bee=OTHER.bee)

    assert _estimated(ledger) == Estimate(0.4, "the only run of auto-retrain over all bees")


def test_a_longer_window_costs_more(ledger: SqlLedger) -> None:
    """The newest window's rows tell how many a longer one will have; costs are scaled to that."""
    _over(ledger, 0.2, rows=1000)
    _over(ledger, 0.4, rows=2000)
    longer = BEE.model_copy(update={"window": 2 * BEE.window})

    assert _estimated(ledger).amount == pytest.approx(0.4)
    assert _estimated(ledger, longer) == Estimate(
        0.8, "median of 2 runs of auto-retrain for spam-guard, scaled to 4000 rows"
    )


def test_every_run_is_estimated_before_it_begins(loop: Loop) -> None:
    """A run that nobody decided on, by hand or by schedule, has its estimate with its launch; it stays as it was."""
    run = world.ask_for_run(loop.ledger)
    launcher = Launcher(loop.ledger, loop.engine, loop.freezer, lambda _: TYPICAL)
    launcher.launch(loop.lease(), NOW)

    found = world.get_run(loop.ledger, run.id)
    assert (found.estimate, found.estimate_basis) == (0.5, "typical")


def test_what_was_decided_keeps_its_estimate(colony: Colony) -> None:
    """A run of an incident carries the estimate that its guards reckoned with, as its decision shows it."""
    _over(colony.ledger, 0.25)
    said = colony.evaluate()

    shown = next(rule["inputs"] for rule in said["rules"] if rule["name"] == "approval")
    assert (shown["estimate"], shown["estimatedBy"]) == (0.25, "the only run of auto-retrain for spam-guard")

    run = colony.runs()[-1] if colony.runs()[-1].incident_id else colony.runs()[0]
    assert (run.estimate, run.estimate_basis) == (0.25, "the only run of auto-retrain for spam-guard")


def test_the_guard_says_what_its_estimate_stands_on(colony: Colony) -> None:
    """The decision shows the estimate with its basis; one beyond the budget holds."""
    _over(colony.ledger, 2.5)
    colony.policy = Policy(budget=Budget(cost_per_month=Decimal(2)))

    said = colony.evaluate()

    rule = next(rule for rule in said["rules"] if rule["name"] == "budget_cost")
    assert said["action"] == "held"
    assert "this run would cost 2.50" in rule["why"]
    assert rule["inputs"]["estimate"] == 2.5
    assert rule["inputs"]["estimatedBy"] == "the only run of auto-retrain for spam-guard"


def test_a_cost_that_nobody_knows_is_said_so(colony: Colony) -> None:
    """Without any estimate the budget says that, and holds only once it is used up."""
    colony.policy = Policy(budget=Budget(cost_per_month=Decimal(2)))

    said = colony.evaluate()

    rule = next(rule for rule in said["rules"] if rule["name"] == "budget_cost")
    assert said["action"] == "trigger"
    assert "what it would cost is not known" in rule["why"]
    assert rule["inputs"]["estimate"] is None
    assert colony.runs()[0].estimate is None


def test_a_person_is_asked_where_nobody_knows(colony: Colony) -> None:
    """Above a cost a person is asked, and so for a run whose cost nobody can tell; the question says that."""
    colony.policy = Policy(approval=Approval(above_cost=Decimal(1)))

    colony.evaluate()

    (question,) = colony.questions()
    assert question.evidence["estimatedCost"] is None
    assert "not known yet" in question.evidence["estimatedBy"]

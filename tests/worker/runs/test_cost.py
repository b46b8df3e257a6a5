"""What runs cost: in words, and as they are settled."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.worker import world
from tests.worker.costs.lists import LIST
from tests.worker.runs.loop import Loop
from worker.costs.machine import DEFAULT
from worker.costs.prices import PriceList
from worker.engine.state import Status
from worker.errors import Rejected
from worker.runs.cost import Prices, cost_text
from worker.runs.lifecycle import Run
from worker.runs.port import EngineState, StepState
from worker.runs.settle import Settler


@pytest.mark.parametrize(
    ("amount", "words"),
    [(12.345, "12.35"), (1, "1.00"), (0.25, "0.2500"), (0.001, "0.0010"), (0.000036, "0.000036"), (0.0, "0.0000")],
)
def test_small_amounts_do_not_look_like_nothing(amount: float, words: str) -> None:
    """A run of a few CPU seconds costs a fraction of a cent, and is not said to cost nothing."""
    assert cost_text(amount) == words


def test_a_credit_is_read_as_one() -> None:
    """What came back is a negative amount with as many digits."""
    assert cost_text(-0.000036) == "-0.000036"


def _machines(loop: Loop, *steps: StepState, cost: dict[str, Any] | None = None, listed: PriceList = LIST) -> Run:
    """Drive a run of steps on machines of their own to its end, and settle it by a price list."""
    run = world.ask_for_run(loop.ledger)
    settler = Settler(loop.ledger, loop.outcomes, prices=Prices(listed=listed, region="us-central1"))
    advancer = replace(loop.advancer(), settler=settler)
    advancer.turn()
    loop.outcomes.put(run.id, world.outcome(run.id, **({} if cost is None else {"cost": cost})))
    loop.engine.states[run.id] = EngineState(Status.SUCCEEDED, steps=steps)
    advancer.turn()
    return world.get_run(loop.ledger, run.id)


def _step(name: str, minutes: float | None, machine: str | None = DEFAULT) -> StepState:
    ended = None if minutes is None else world.NOW + timedelta(minutes=minutes)
    return StepState(name, Status.SUCCEEDED, started_at=world.NOW, ended_at=ended, machine=machine)


def test_a_run_on_machines_is_settled_by_the_price_list(loop: Loop) -> None:
    """Half an hour on the default machine and the fee; a group without a machine of its own costs nothing."""
    skipped = StepState("deploy", Status.SKIPPED, machine=DEFAULT)

    run = _machines(loop, _step("train", 30), _step("loop", 30, None), skipped)

    assert run.cost == run.settled_cost == pytest.approx(0.03 + 0.06)
    assert run.cost_basis.startswith("1 step on e2-standard-4")
    assert run.billed_cost is None


def test_answers_of_a_run_on_machines_cost_too(loop: Loop) -> None:
    """Tokens are added to the machines; CPU seconds are none of it there."""
    assert _machines(loop, _step("train", 30), cost={"cpuSeconds": 10**6, "usd": 0.5}).cost == pytest.approx(0.59)


def test_a_machine_without_a_price_leaves_the_cost_not_known(loop: Loop) -> None:
    """The run is settled all the same; its cost is not known, and says why."""
    run = _machines(loop, _step("train", 30, "cpu=96"))

    assert (run.settled, run.cost, run.settled_cost) == (True, None, None)
    assert "no price for cpu=96 in us-central1" in run.cost_basis


def test_steps_that_tell_no_machines(loop: Loop) -> None:
    """A run that an older worker watched to its end has steps without machines: the fee alone would be a wrong cost."""
    run = _machines(loop, _step("train", 30, None))

    assert (run.cost, run.cost_basis) == (None, "its steps tell no machines")


def test_a_step_that_was_cut_off_ran_until_the_run_ended(loop: Loop) -> None:
    """Vertex tells no end of what it cancelled: the run's own end counts."""
    assert _machines(loop, _step("train", None)).cost == pytest.approx(0.03)


def test_a_run_of_which_nothing_began(loop: Loop) -> None:
    """What was cancelled before it began cost nothing, and that is known."""
    run = world.ask_for_run(loop.ledger)
    loop.engine.error = Rejected("no such pipeline")
    loop.advancer().turn()
    found = world.get_run(loop.ledger, run.id)

    assert (found.settled, found.cost, found.cost_basis) == (True, 0.0, "nothing of it began")


def test_the_rows_of_a_run_are_kept(loop: Loop) -> None:
    """How many rows there were stands with the run, for the next estimate."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    artifacts = [{"name": "rows", "type": "", "uri": "mem://rows", "metadata": {"rows": 2180}}]
    loop.outcomes.put(run.id, world.outcome(run.id, artifacts=artifacts))
    loop.engine.end(run.id)
    loop.advancer().turn()

    assert world.get_run(loop.ledger, run.id).rows == 2180

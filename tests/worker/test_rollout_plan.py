"""The plan in a bee's file: what it may say, and what it means where it says nothing."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from tests.worker.world import BEE
from worker.bee import BeeSpec
from worker.rollout_plan import RolloutSpec


def plan(**fields: Any) -> RolloutSpec:
    """Return a plan as a file writes it."""
    return RolloutSpec.model_validate(fields)


@pytest.mark.parametrize(
    ("strategy", "percents"),
    [("immediate", []), ("canary", [10, 50, 100]), ("shadow", [0]), ("blueGreen", [100])],
)
def test_each_strategy_has_its_steps(strategy: str, percents: list[int]) -> None:
    """Without steps of its own a plan has those of its strategy, of a day and 100 outcomes each."""
    found = plan(strategy=strategy).planned

    assert [step.percent for step in found] == percents
    assert all((step.min_time, step.min_outcomes) == (timedelta(days=1), 100) for step in found)


def test_steps_are_written_as_people_do() -> None:
    """Percent, a duration, and a number of outcomes."""
    steps = [{"percent": 0, "minTime": "12h"}, {"percent": 5}, {"percent": 100, "minOutcomes": 500}]
    found = plan(strategy="canary", steps=steps)

    assert [step.percent for step in found.planned] == [0, 5, 100]
    assert found.planned[0].min_time == timedelta(hours=12)
    assert found.planned[2].min_outcomes == 500


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"strategy": "canary", "steps": [{"percent": 50}, {"percent": 10}, {"percent": 100}]}, "rise"),
        ({"strategy": "canary", "steps": [{"percent": 10}, {"percent": 50}]}, "the last is of 100"),
        ({"strategy": "canary", "steps": [{"percent": 10}, {"percent": 101}]}, "less than or equal to 100"),
        ({"strategy": "immediate", "steps": [{"percent": 100}]}, "immediate has no steps"),
        ({"strategy": "shadow", "steps": [{"percent": 10}]}, "shadow has one step, of 0 percent"),
        ({"strategy": "blueGreen", "steps": [{"percent": 50}, {"percent": 100}]}, "one step, of 100 percent"),
        ({"strategy": "canary", "limit": "1d"}, "limit must be longer than the minTime of every step"),
        ({"strategy": "canary", "limit": "0s"}, "limit must be longer than nothing"),
        ({"strategy": "canary", "guards": {"happiness": {"margin": 1}}}, "which way happiness is better"),
        ({"strategy": "canary", "guards": {"latency_ms": {"margin": -1}}}, "greater than or equal to 0"),
        ({"strategy": "canary", "traffic": 5}, "Extra inputs"),
    ],
)
def test_what_cannot_be_followed_is_refused(fields: dict[str, Any], why: str) -> None:
    """Before anything runs, with what is wrong."""
    with pytest.raises(ValidationError, match=why):
        plan(**fields)


def test_a_guard_knows_which_way_is_better() -> None:
    """Its direction is that of its metric unless it is declared, and it survives being frozen into a run."""
    margins = {"latency_ms": {"margin": 5}, "safety_score": {"margin": 0.1}}
    found = plan(strategy="canary", guards={**margins, "accuracy": {"margin": 0, "lowerIsBetter": True}})
    again = plan(**found.model_dump(mode="json", by_alias=True))

    assert {name: guard.lower_is_better for name, guard in found.guards.items()} == {
        "latency_ms": True,
        "safety_score": False,
        "accuracy": True,
    }
    assert again == found


def test_a_bee_without_a_plan_deploys_at_once() -> None:
    """As it always did; and a plan whose metric nobody knows the direction of is refused with the file."""
    assert BEE.rollout.strategy == "immediate"
    fields = {**BEE.frozen(), "rollout": {"strategy": "canary", "metric": "happiness"}}
    with pytest.raises(ValidationError, match="happiness"):
        BeeSpec.model_validate(fields)

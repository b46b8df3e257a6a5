"""When a rollout is looked at by time alone."""

from dataclasses import replace
from datetime import timedelta

from tests.worker.rollout.test_machine import DAY, NOW, PLAN, a_rollout
from worker.rollout.due import due_at, replayed_at
from worker.rollout.machine import State
from worker.rollout_plan import RolloutSpec, RolloutStep

HOUR = timedelta(hours=1)


def test_the_minimum_and_the_limit_are_due() -> None:
    """First the step's minimum of time is over, then its limit; after that, and when it is over, nothing is due."""
    rollout = a_rollout()
    assert due_at(rollout, NOW) == NOW + DAY
    assert due_at(rollout, NOW + DAY) == NOW + PLAN.limit
    assert due_at(rollout, NOW + PLAN.limit) is None
    assert due_at(replace(rollout, state=State.VERIFIED), NOW) is None
    assert replayed_at(replace(rollout, state=State.VERIFIED), NOW) is None


def test_a_replay_looks_as_often_as_the_plan_is_quick() -> None:
    """At whole days, of quicker plans at whole multiples of the shortest step, at most every hour."""
    assert replayed_at(a_rollout(), NOW + 5 * HOUR) == NOW + DAY
    for minutes, looked in ((5, 1), (180, 3)):
        step = RolloutStep(percent=100, min_time=timedelta(minutes=minutes))
        quick = a_rollout(plan=RolloutSpec(strategy="blueGreen", steps=(step,)), step_at=NOW - DAY)
        assert replayed_at(quick, NOW + HOUR / 2) == NOW + looked * HOUR

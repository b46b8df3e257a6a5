"""When a rollout is to be looked at although nothing has happened; pure."""

from datetime import datetime, timedelta

from worker.clock import EPOCH
from worker.rollout.machine import Rollout

_SHORTEST, _LONGEST = timedelta(hours=1), timedelta(days=1)


def due_at(rollout: Rollout, after: datetime) -> datetime | None:
    """Return when time alone takes a rollout on, later than `after`: its step's minimum is over, or its limit."""
    if not rollout.active:
        return None
    times = (rollout.step_at + rollout.at_step.min_time, rollout.step_at + rollout.plan.limit)
    return min((time for time in times if time > after), default=None)


def replayed_at(rollout: Rollout, after: datetime) -> datetime | None:
    """Return when a replay looks next, where a worker would have looked every minute.

    That is when time alone takes it on, and at whole multiples of its shortest step since 1970 (in UTC; of an hour at
    least, of a day at most), for outcomes come in all the time.
    """
    if not rollout.active:
        return None
    shortest = min(step.min_time for step in rollout.plan.planned)
    every = min(max(shortest, _SHORTEST), _LONGEST)
    turn = EPOCH + ((after - EPOCH) // every + 1) * every
    due = due_at(rollout, after)
    return turn if due is None else min(turn, due)

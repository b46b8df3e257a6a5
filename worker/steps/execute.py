"""One execution of a step: its body, unless the run was stopped before, and what it cost."""

import os

from worker.steps import outcome
from worker.steps.marker import pass_on, stopped
from worker.steps.step import StepContext, StepType


def execute(step: StepType, context: StepContext, *, name: str = "") -> None:
    """Run a step's body and record its CPU seconds; a stopped run's reason is only passed on.

    Args:
        step: the type.
        context: what it may read and where it writes.
        name: the step's id in its template, under which its cost is kept; the type's name if not given.
    """
    started = _cpu_seconds()
    reason = stopped(context.inputs.values())
    if reason is None:
        step.body(context)
    else:
        pass_on(context.outputs, reason)
    outcome.add_cost(context, name or step.name, _cpu_seconds() - started)


def _cpu_seconds() -> float:
    """Return what this process has taken, and those that it started and that have ended."""
    return sum(os.times()[:4])

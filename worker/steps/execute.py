"""One execution of a step: its body, unless the run was stopped before, and what it cost."""

import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

from worker.errors import Rejected
from worker.steps import outcome
from worker.steps.marker import pass_on, stopped
from worker.steps.step import StepContext, StepType
from worker.steps.values import dotted, empty, misfits, parse_type

Body = Callable[[StepContext], Mapping[str, Any] | None]


def execute(step: StepType, context: StepContext, *, name: str = "", task: str = "") -> dict[str, Any]:
    """Run a step's body, record its CPU seconds, and return its values; a stopped run's reason is only passed on.

    Args:
        step: the type.
        context: what it may read and where it writes.
        name: the step's id in its template, under which its cost is kept; the type's name if not given.
        task: which of the runs of a `foreach` step this is.

    Raises:
        Rejected: the body gave other values than its type declares; and whatever the body raises.
    """
    return _costed(step, context, step.body, name, task)


def conclude(step: StepType, context: StepContext, reason: str, *, name: str = "", task: str = "") -> dict[str, Any]:
    """Write a failure as the step's result, where its type takes one for that; as `execute` does."""
    write = step.failed
    if write is None:
        raise AssertionError(f"a failure is no result of {step.name!r}")
    return _costed(step, context, lambda given: write(given, reason), name, task)


def _costed(step: StepType, context: StepContext, body: Body, name: str, task: str) -> dict[str, Any]:
    started, began = _cpu_seconds(), time.monotonic()
    reason = stopped(chain(context.inputs.values(), *context.lists.values()))
    if reason is None:
        values = _checked(step, body(context) or {})
    else:
        pass_on(context.outputs, reason)
        values = {given: empty(parse_type(word, ())[0]) for given, word in step.values.items()}
    took_s = time.monotonic() - began
    spent = outcome.Spent(_cpu_seconds() - started, _peak_gb() * took_s)
    outcome.add_cost(context, name or step.name, spent, task=task)
    return values


def _checked(step: StepType, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a step gave, if they are those that its type declares."""
    if values.keys() != step.values.keys():
        declared, given = (", ".join(sorted(names)) or "none" for names in (step.values, values))
        raise Rejected(f"gives the values {given}, but declares {declared}", field=step.name, mend="correct the type")
    for name, word in step.values.items():
        for path, text in misfits(values[name], parse_type(word, ())[0], (name,)):
            raise Rejected(text, field=f"{step.name}.{dotted(path)}", mend=f"return {word}, or declare another type")
    return dict(values)


def _cpu_seconds() -> float:
    """Return what this process has taken, and those that it started and that have ended."""
    return sum(os.times()[:4])


def _peak_gb() -> float:
    """Return the most memory that this process has held, with the largest of those that it started (10^9 bytes)."""
    held = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return held * (1 if sys.platform == "darwin" else 1024) / 1e9

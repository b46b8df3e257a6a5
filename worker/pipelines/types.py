"""Finds step types: a template's word → its module's `STEP`, imported when first asked for."""

import importlib
from collections.abc import Mapping

from worker.errors import Rejected
from worker.steps.step import StepType


def load_type(name: str, types: Mapping[str, str]) -> StepType:
    """Return a step type of a table word → module. Raises Rejected for an unknown word."""
    if name not in types:
        raise Rejected(f"there is no step type {name!r}", field="type", mend=f"use one of {', '.join(sorted(types))}")
    step = importlib.import_module(types[name]).STEP
    if not isinstance(step, StepType):
        raise TypeError(f"{types[name]}.STEP is not a StepType")
    return step

"""A step type that gives the values that its config says."""

from collections.abc import Mapping
from typing import Any

from worker.bee import Value
from worker.steps.step import StepContext, StepType


class GiveConfig(Value):
    """What to give."""

    better: bool = True
    share: float = 0.5
    count: int = 3
    words: tuple[str, ...] = ()
    things: tuple[dict[str, Any], ...] = ()


def give(context: StepContext) -> Mapping[str, Any]:
    """Give it."""
    given: Mapping[str, Any] = context.config.model_dump(mode="json")
    return given


STEP = StepType(
    "give",
    GiveConfig,
    {},
    {},
    give,
    values={
        "better": "boolean",
        "share": "number",
        "count": "integer",
        "words": "list[string]",
        "things": "list[object]",
    },
)

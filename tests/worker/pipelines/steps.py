"""Small step types for tests of templates: a source, a stage and a sink."""

from typing import Any

from pydantic import Field

from worker.bee import Value
from worker.steps.step import StepContext, StepType


class NoConfig(Value):
    """Nothing to set."""


class StageConfig(Value):
    """A number within bounds, and a nested one."""

    depth: int = Field(default=1, ge=1, le=9)
    share: float | None = None
    options: dict[str, Any] = Field(default_factory=dict)


def nothing(context: StepContext) -> None:
    """Do nothing."""
    del context


SOURCE = StepType("source", NoConfig, {}, {"rows": "system.Dataset"}, nothing)
STAGE = StepType(
    "stage", StageConfig, {"rows": "system.Dataset"}, {"rows": "system.Dataset", "model": "system.Model"}, nothing
)
SINK = StepType("sink", NoConfig, {"rows": "system.Dataset", "model": "system.Model"}, {}, nothing)

"""A step type that takes one note and copies it."""

from worker.bee import Value
from worker.steps.files import read_json, write_json
from worker.steps.step import StepContext, StepType


class ReadConfig(Value):
    """Nothing to set."""


def read(context: StepContext) -> None:
    """Copy it."""
    write_json(context.outputs["copy"], read_json(context.inputs["note"]))


STEP = StepType("read_note", ReadConfig, {"note": "system.Artifact"}, {"copy": "system.Artifact"}, read)

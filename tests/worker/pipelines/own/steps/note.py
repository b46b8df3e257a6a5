"""A step type that writes its config, which takes anything, into its output; told to fail, it does."""

from typing import Any

from worker.bee import Value
from worker.errors import Rejected
from worker.steps.files import write_json
from worker.steps.step import StepContext, StepType


class NoteConfig(Value):
    """What to write."""

    text: Any = None
    fail: bool = False


def note(context: StepContext) -> None:
    """Write it."""
    if context.config.fail:
        raise Rejected("told to fail")
    write_json(context.outputs["note"], {"text": context.config.text})


STEP = StepType("note", NoteConfig, {}, {"note": "system.Artifact"}, note)

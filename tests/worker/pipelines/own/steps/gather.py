"""A step type that takes the notes of all runs of a step, and writes them as one list."""

from worker.bee import Value
from worker.steps.files import read_json, write_json
from worker.steps.step import StepContext, StepType


class GatherConfig(Value):
    """Nothing to set."""


def gather(context: StepContext) -> None:
    """Write them in the order of the items."""
    texts = [read_json(path)["text"] for path in context.lists["note"]]
    write_json(context.outputs["texts"], {"texts": texts})


STEP = StepType("gather", GatherConfig, {"note": "list[system.Artifact]"}, {"texts": "system.Artifact"}, gather)

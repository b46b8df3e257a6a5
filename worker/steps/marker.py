"""How a run ends early without failing: a marker instead of each output, which later steps only pass on."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from worker.steps import outcome
from worker.steps.files import describe, write_json
from worker.steps.step import StepContext

_HEAD = 65536


def stop(context: StepContext, stage: str, reason: str) -> None:
    """End the run as rejected with its reason; every output of this step becomes a marker."""
    pass_on(context.outputs, reason)
    outcome.record(context, stage, verdict="rejected", reason=reason)


def pass_on(outputs: Mapping[str, Path], reason: str) -> None:
    """Write the marker as each output."""
    for path in outputs.values():
        write_json(path, {"stopped": reason})
        describe(path, {"stopped": reason})


def stopped(inputs: Iterable[Path]) -> str | None:
    """Return why the run was stopped before this step, or None if it was not."""
    for path in inputs:
        if path.is_dir():
            continue
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if head.startswith(b"{") and (reason := _reason(head)) is not None:
            return reason
    return None


def _reason(head: bytes) -> str | None:
    try:
        value = json.loads(head)
    except ValueError:
        return None
    return str(value["stopped"]) if isinstance(value, dict) and value.keys() == {"stopped"} else None

"""Reads what an engine tells a step (KFP's executor input) and writes what the step tells the engine."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from worker.bee import BeeSpec
from worker.errors import Rejected
from worker.steps.files import description, local_path, write_json
from worker.steps.kinds import item_kind
from worker.steps.placeholders import ITEM, resolve
from worker.steps.step import Ports, StepContext, StepType


@dataclass(frozen=True)
class ExecutorInput:
    """The parts of an executor input that steps use, checked for their shape; a list's input has many artifacts."""

    parameters: Mapping[str, Any]
    inputs: Mapping[str, list[Mapping[str, Any]]]
    outputs: Mapping[str, Mapping[str, Any]]
    output_file: Path | None


def parse_input(text: str) -> ExecutorInput:
    """Return the parts of an executor input. Raises Rejected if it is not JSON of that form."""
    try:
        value = json.loads(text)
        inputs, outputs = value.get("inputs") or {}, value.get("outputs") or {}
        parameters = inputs.get("parameterValues") or {}
        file = outputs.get("outputFile")
        written = {name: listed[0] for name, listed in _artifacts(outputs).items()}
        return ExecutorInput(parameters, _artifacts(inputs), written, local_path(file) if file else None)
    except (ValueError, AttributeError, KeyError, IndexError, TypeError) as error:
        mend = "this is called by a pipeline engine"
        raise Rejected(f"is not KFP's executor input: {error!r}", field="--executor-input", mend=mend) from error


def _artifacts(side: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Return each name's artifacts."""
    return {
        name: [dict(one) for one in listed.get("artifacts") or ()]
        for name, listed in (side.get("artifacts") or {}).items()
    }


def context_of(step: StepType, given: ExecutorInput, ports: Ports) -> StepContext:
    """Return the context for a step's body; the directories of its outputs exist.

    Raises:
        Rejected: a wrong config, a run that is not frozen, a declared input or output that is not wired.
    """
    run = _struct(given.parameters, "run")
    item = {name: given.parameters[name] for name in (ITEM,) if name in given.parameters}
    config = resolve(_struct(given.parameters, "config"), run.get("parameters") or {}, **item)
    bee = None if run.get("bee") is None else _checked(BeeSpec, run["bee"], "run.bee")
    if not run.get("outputDir"):
        raise Rejected("is missing", field="run.outputDir", mend="launch the run again")
    return StepContext(
        config=_checked(step.config, config, "config"),
        run=run,
        bee=bee,
        inputs=_inputs(step, given),
        outputs=_made(_paths(step.outputs, given.outputs, "outputs")),
        output_dir=local_path(str(run["outputDir"])),
        ports=ports,
        lists=_lists(step, given),
    )


def _inputs(step: StepType, given: ExecutorInput) -> Mapping[str, Path]:
    single = {name: kind for name, kind in step.inputs.items() if item_kind(kind) is None}
    return _paths(single, {name: listed[0] for name, listed in given.inputs.items() if listed}, "inputs")


def _lists(step: StepType, given: ExecutorInput) -> Mapping[str, Sequence[Path]]:
    """Return the inputs that are lists; an engine may leave out an empty one."""
    names = [name for name, kind in step.inputs.items() if item_kind(kind) is not None]
    return {name: [local_path(str(one["uri"])) for one in given.inputs.get(name, ())] for name in names}


def write_output(step: StepType, given: ExecutorInput, context: StepContext, values: Mapping[str, Any]) -> None:
    """Tell the engine of the outputs: where they are, what the step said of them, and the values that it gave."""
    if given.output_file is None:
        return
    artifacts = {
        name: {"artifacts": [{**given.outputs[name], "metadata": description(context.outputs[name])}]}
        for name in step.outputs
    }
    write_json(given.output_file, {"artifacts": artifacts, "parameterValues": dict(values)})


def _struct(parameters: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a parameter that is a JSON object, or the text of one."""
    value = parameters.get(name) or {}
    try:
        value = json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise Rejected(f"is not JSON: {error}", field=name, mend="compile the template again") from error
    if not isinstance(value, dict):
        raise Rejected(f"{value!r} is not an object", field=name, mend="compile the template again")
    return value


def _checked(model: Any, value: Any, field: str) -> Any:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise Rejected("; ".join(faults), field=field, mend="correct it in its file under config/") from error


def _paths(declared: Mapping[str, str], given: Mapping[str, Mapping[str, Any]], side: str) -> dict[str, Path]:
    absent = [name for name in declared if not given.get(name, {}).get("uri")]
    if absent:
        raise Rejected(f"{', '.join(absent)} not wired", field=side, mend="compile the template again")
    return {name: local_path(str(given[name]["uri"])) for name in declared}


def _made(paths: Mapping[str, Path]) -> Mapping[str, Path]:
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    return paths

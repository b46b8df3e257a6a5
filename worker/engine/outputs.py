"""What a DAG and a loop give of what their tasks gave, and how a task's end is told to an exit task."""

from collections.abc import Mapping, Sequence
from typing import Any

from worker.engine.inputs import Bound
from worker.engine.spec import Component, Dag
from worker.engine.state import Status

#: The code that gRPC, and so Vertex, gives a failure that lies in the user's part.
_FAILED_PRECONDITION, _CANCELLED = 9, 1


def selected(dag: Dag | None, outputs: Mapping[str, Bound]) -> Bound:
    """Return a DAG's outputs of its subtasks'; what only skipped ones would have given is left out."""
    if dag is None:
        return Bound()
    parameters, artifacts = {}, {}
    for name, output in dag.outputs.parameters.items():
        for of in output.places:
            if of.output_parameter_key in outputs[of.producer_subtask].parameters:
                parameters[name] = outputs[of.producer_subtask].parameters[of.output_parameter_key]
                break
    for name, choice in dag.outputs.artifacts.items():
        for one in choice.artifact_selectors:
            if one.output_artifact_key in outputs[one.producer_subtask].artifacts:
                artifacts[name] = outputs[one.producer_subtask].artifacts[one.output_artifact_key]
                break
    return Bound(parameters, artifacts)


def collected(component: Component, iterations: Sequence[Bound]) -> Bound:
    """Return a loop's outputs in the order of its items; what a condition skipped in an iteration is not in the list.

    Artifacts of nested loops are one flat list, as the format has no list of lists of them.
    """
    declared = component.output_definitions
    return Bound(
        {name: [one.parameters[name] for one in iterations if name in one.parameters] for name in declared.parameters},
        {
            name: [artifact for one in iterations for artifact in one.artifacts.get(name, ())]
            for name in declared.artifacts
        },
    )


def recorded(outputs: Mapping[str, Any]) -> Bound:
    """Return a succeeded step's outputs as the journal holds them."""
    return Bound(outputs.get("parameters", {}), outputs.get("artifacts", {}))


def final_status(name: str, status: Status, error: str | None, resource: str) -> dict[str, Any]:
    """Return a task's end in the form of `PipelineTaskFinalStatus`.

    Args:
        name: the task's.
        status: ended.
        error: why it failed.
        resource: the run's name.
    """
    told: dict[str, Any] = {
        "state": status.name,
        "pipelineJobResourceName": resource,
        "pipelineTaskName": name,
    }
    if status in (Status.FAILED, Status.CANCELLED):
        code = _FAILED_PRECONDITION if status is Status.FAILED else _CANCELLED
        told["error"] = {"code": code, "message": error or str(status)}
    return told

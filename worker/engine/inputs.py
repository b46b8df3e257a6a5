"""What a task is given: values and artifacts from constants, from outside and from other tasks, cast as declared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.engine import placeholder
from worker.engine.graph import Graph, Task, item_key
from worker.engine.links import CHANNEL
from worker.engine.spec import Component, Dag, ParameterSource, PipelineSpec
from worker.engine.values import cast
from worker.errors import ColonyError, Rejected

#: One artifact as executor inputs and journals hold it: name, uri, type and metadata.
Artifact = Mapping[str, Any]


class MissingOutputError(ColonyError):
    """An output that a skipped task would have given: what needs it is skipped, too."""


@dataclass(frozen=True)
class Bound:
    """Values and artifacts by name: a component's inputs, or a task's outputs; one artifact is a list of one."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Sequence[Artifact]] = field(default_factory=dict)


def bind_root(spec: PipelineSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the root's input parameters, cast, with defaults.

    Raises:
        Rejected: an unknown, a missing or a wrongly typed parameter, or a root that takes artifacts.
    """
    declared = spec.root.input_definitions
    for name in given:
        if name not in declared.parameters:
            raise Rejected("the pipeline has no such parameter", field=f"parameters.{name}")
    if declared.artifacts:
        at = "root.inputDefinitions.artifacts"
        raise Rejected("the local engine does not know pipelines that take artifacts", field=at)
    return _with_defaults(spec.root, given, "parameters")


def bind(task: Task, scope: Bound, outputs: Mapping[str, Bound]) -> Bound:
    """Return what the task's own wiring gives, not yet cast.

    Raises:
        MissingOutputError: an output that was not produced.
        Rejected: a value without the key that is selected of it.
    """
    inputs = task.spec.inputs
    given = {
        name: _parameter(source, scope, outputs, f"{task.name}.{name}")
        for name, source in inputs.parameters.items()
        if source.component_input_parameter is None or source.component_input_parameter in scope.parameters
    }
    parameters = {name: _filled(value, given, task.spec.inputs.parameters[name]) for name, value in given.items()}
    artifacts: dict[str, Sequence[Artifact]] = {}
    for name, source in inputs.artifacts.items():
        of = source.task_output_artifact
        if of is not None:
            artifacts[name] = _produced(outputs[of.producer_task].artifacts, of.producer_task, of.output_artifact_key)
        elif source.component_input_artifact in scope.artifacts:
            artifacts[name] = scope.artifacts[str(source.component_input_artifact)]
    return Bound(parameters, artifacts)


def complete(graph: Graph, task: Task, bound: Bound, *item: Any) -> Bound:
    """Return the inputs of the task's component: declared ones only, cast, with defaults, and the loop's item.

    Raises:
        Rejected: a value of another type than declared, or a needed one that is missing.
    """
    component = graph.component(task.spec.component_ref.name)
    given = dict(bound.parameters)
    if task.spec.parameter_iterator and item:
        given[task.spec.parameter_iterator.item_input] = item[0]
    declared = component.input_definitions
    return Bound(
        _with_defaults(component, given, task.name),
        {name: bound.artifacts[name] for name in declared.artifacts if name in bound.artifacts},
    )


def holds(graph: Graph, task: Task, bound: Bound) -> bool:
    """Return whether the task's condition holds. Raises Rejected if a value is missing or not of its declared type."""
    if task.condition is None:
        return True
    declared = graph.component(task.spec.component_ref.name).input_definitions.parameters
    values = {}
    for name in task.condition.reads:
        if name not in bound.parameters:
            raise Rejected("the condition needs a value that is not given", field=f"{task.name}.{name}")
        values[name] = cast(bound.parameters[name], declared[name].parameter_type, f"{task.name}.{name}")
    return task.condition.holds(values)


def items(task: Task, bound: Bound, path: str) -> Sequence[Any]:
    """Return the list that a loop goes over. Raises Rejected if a step gave something else."""
    if task.items is not None:
        return task.items
    loop = task.spec.parameter_iterator
    found = bound.parameters.get(str(loop.items.input_parameter)) if loop else None
    if not isinstance(found, list):
        raise Rejected("the loop's input is no list", field=path)
    return found


def selected(dag: Dag | None, outputs: Mapping[str, Bound]) -> Bound:
    """Return a DAG's outputs of its subtasks'; what a skipped one would have given is left out."""
    if dag is None:
        return Bound()
    parameters = {}
    for name, output in dag.outputs.parameters.items():
        of = output.value_from_parameter
        if of.output_parameter_key in outputs[of.producer_subtask].parameters:
            parameters[name] = outputs[of.producer_subtask].parameters[of.output_parameter_key]
    artifacts = {}
    for name, choice in dag.outputs.artifacts.items():
        one = choice.artifact_selectors[0]
        if one.output_artifact_key in outputs[one.producer_subtask].artifacts:
            artifacts[name] = outputs[one.producer_subtask].artifacts[one.output_artifact_key]
    return Bound(parameters, artifacts)


def collected(component: Component, iterations: Sequence[Bound]) -> Bound:
    """Return a loop's outputs, in the order of its items; one that an iteration did not give is left out."""
    declared = component.output_definitions
    return Bound(
        {
            name: [one.parameters[name] for one in iterations]
            for name in declared.parameters
            if all(name in one.parameters for one in iterations)
        },
        {
            name: [artifact for one in iterations for artifact in one.artifacts[name]]
            for name in declared.artifacts
            if all(name in one.artifacts for one in iterations)
        },
    )


def recorded(outputs: Mapping[str, Any]) -> Bound:
    """Return a succeeded step's outputs as the journal holds them."""
    return Bound(outputs.get("parameters", {}), outputs.get("artifacts", {}))


def _with_defaults(component: Component, given: Mapping[str, Any], path: str) -> dict[str, Any]:
    values = {}
    for name, declared in component.input_definitions.parameters.items():
        field_ = f"{path}.{name}"
        value = given.get(name, declared.default_value)
        if name not in given and declared.default_value is None:
            if not declared.is_optional and not declared.has_default:
                raise Rejected("is needed", field=field_)
            continue
        values[name] = value if name.startswith(CHANNEL) else cast(value, declared.parameter_type, field_)
    return values


def _parameter(source: ParameterSource, scope: Bound, outputs: Mapping[str, Bound], path: str) -> Any:
    if source.runtime_value is not None:
        value = source.runtime_value.constant
    elif source.task_output_parameter is not None:
        of = source.task_output_parameter
        value = _produced(outputs[of.producer_task].parameters, of.producer_task, of.output_parameter_key)
    else:
        value = scope.parameters[str(source.component_input_parameter)]
    key = item_key(source.parameter_expression_selector, path)
    if key is None:
        return value
    if not isinstance(value, dict) or key not in value:
        raise Rejected(f"the item has no {key!r}", field=path)
    return value[key]


def _produced(outputs: Mapping[str, Any], producer: str, key: str) -> Any:
    if key not in outputs:
        raise MissingOutputError(f"needs {key!r} of {producer!r}, which was skipped")
    return outputs[key]


def _filled(value: Any, given: Mapping[str, Any], source: ParameterSource) -> Any:
    if source.runtime_value is None or not isinstance(value, str) or "{{$" not in value:
        return value
    return placeholder.fill(value, lambda _form, name, _part: given.get(name, ""))

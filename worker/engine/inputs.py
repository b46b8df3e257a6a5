"""What a task is given: values and artifacts from constants, from outside and from other tasks, cast as declared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from worker.engine import placeholder
from worker.engine.graph import Graph, Task, item_key
from worker.engine.interface import InputArtifact, InputParameter
from worker.engine.loop_items import CHANNEL, is_item, is_meant_field
from worker.engine.sources import ParameterSource
from worker.engine.spec import Component, PipelineSpec
from worker.engine.values import from_json, to_text, whole
from worker.errors import ColonyError, Rejected

#: One artifact as executor inputs and journals hold it: name, uri, type and metadata.
Artifact = Mapping[str, Any]


class MissingOutputError(ColonyError):
    """An output that a skipped task would have given: what needs it is skipped, too."""


@dataclass(frozen=True)
class Bound:
    """Values and artifacts by name: a component's inputs, or a task's outputs; one artifact is a list of one.

    Attributes:
        aside: what the task has beside its component's inputs: its container's resources may name it; and the items of
            the loops around it.
        late: input parameters that are written as placeholders which only an attempt can fill in.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Sequence[Artifact]] = field(default_factory=dict)
    aside: Mapping[str, Any] = field(default_factory=dict)
    late: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Around:
    """What a task's wiring can reach.

    Attributes:
        scope: the inputs of the DAG that holds the task.
        outputs: what the DAG's other tasks gave, by key.
        ends: how a task ended, as its final status tells it.
        facts: of the run and the task, for placeholders in constants.
    """

    scope: Bound
    outputs: Mapping[str, Bound]
    ends: Callable[[str], Mapping[str, Any]]
    facts: Mapping[str, str]


def bind_root(spec: PipelineSpec, given: Mapping[str, Any]) -> Bound:
    """Return the root's inputs: parameters, cast, with defaults, and artifacts, which are given by their URIs.

    Raises:
        Rejected: an unknown, a missing or a wrongly typed input.
    """
    declared = spec.root.input_definitions
    for name in given:
        if name not in declared.parameters and name not in declared.artifacts:
            raise Rejected("the pipeline has no such parameter", field=f"parameters.{name}")
    artifacts = {}
    for name, artifact in declared.artifacts.items():
        if name in given:
            artifacts[name] = _from_outside(name, artifact, given[name])
        elif not artifact.is_optional:
            raise Rejected("is needed", field=f"parameters.{name}", mend=f"give the URI of the {artifact.kind}")
    values = {name: value for name, value in given.items() if name in declared.parameters}
    return Bound(_with_defaults(spec.root, values, "parameters"), artifacts)


def _from_outside(name: str, declared: InputArtifact, given: Any) -> list[Artifact]:
    uris = given if declared.is_artifact_list and isinstance(given, list) else [given]
    if not all(isinstance(uri, str) and uri for uri in uris):
        many = "a list of URIs" if declared.is_artifact_list else "a URI"
        raise Rejected(f"{given!r} is not {many}", field=f"parameters.{name}")
    told = declared.artifact_type.told()
    return [{"name": name, "uri": uri, "type": told, "metadata": {}} for uri in uris]


def bind(task: Task, around: Around) -> Bound:
    """Return what the task's own wiring gives, not yet cast; a task that always runs goes without what is missing.

    Raises:
        MissingOutputError: an output that was not produced.
        Rejected: a value without the key that is selected of it.
    """
    inputs = task.spec.inputs
    given: dict[str, Any] = {}
    artifacts: dict[str, Sequence[Artifact]] = {}
    for name, source in inputs.parameters.items():
        outer = source.component_input_parameter
        if outer is not None and outer not in around.scope.parameters:
            if is_meant_field(source, name, around.scope.parameters):
                given[name] = around.scope.parameters[name]
            elif is_item(outer) and outer in around.scope.aside:
                beyond = replace(around, scope=Bound(around.scope.aside))
                given[name] = _parameter(source, beyond, f"{task.name}.{name}")
        else:
            _take(task, given, name, partial(_parameter, source, around, f"{task.name}.{name}"))
    for name, artifact in inputs.artifacts.items():
        of = artifact.task_output_artifact
        if of is not None:
            made = around.outputs[of.producer_task].artifacts
            _take(task, artifacts, name, partial(_made, made, of.producer_task, of.output_artifact_key))
        elif artifact.component_input_artifact in around.scope.artifacts:
            artifacts[name] = around.scope.artifacts[str(artifact.component_input_artifact)]

    def fact(one: placeholder.Placeholder) -> Any:
        return around.facts[one.name] if one.form == "run" else given.get(one.name, "")

    written = {name for name, source in inputs.parameters.items() if source.runtime_value is not None}
    late = frozenset(name for name in written if placeholder.is_late(given[name]))
    values = {name: placeholder.filled(one, fact) if name in written - late else one for name, one in given.items()}
    items_ = {name: one for name, one in around.scope.parameters.items() if is_item(name)}
    return Bound(values, artifacts, {**around.scope.aside, **items_}, late)


def complete(graph: Graph, task: Task, bound: Bound, *item: Any) -> Bound:
    """Return the inputs of the task's component: declared ones only, cast, with defaults, and the loop's item.

    Raises:
        Rejected: a value of another type than declared, or a needed one that is missing.
    """
    component = graph.component(task.spec.component_ref.name)
    given, artifacts = dict(bound.parameters), dict(bound.artifacts)
    if task.spec.parameter_iterator and item:
        given[task.spec.parameter_iterator.item_input] = item[0]
    if task.spec.artifact_iterator and item:
        artifacts[task.spec.artifact_iterator.item_input] = [item[0]]
    loose = {name for name, source in task.spec.inputs.parameters.items() if _is_loose(source)}
    declared = component.input_definitions
    for name, parameter in declared.parameters.items():
        if name in loose and name in given and component.dag is None:
            given[name] = _as_text(parameter, given[name])
    return Bound(
        _with_defaults(component, given, task.name),
        {name: artifacts[name] for name in declared.artifacts if name in artifacts},
        {**bound.aside, **{name: given[name] for name in given if name not in declared.parameters}},
        bound.late,
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
        value = bound.parameters[name]
        if name.startswith(CHANNEL):
            value = _as_text(declared[name], value)
        values[name] = declared[name].take(value, f"{task.name}.{name}")
    return task.condition.holds(values)


def items(task: Task, bound: Bound, path: str) -> Sequence[Any]:
    """Return the values or artifacts that a loop goes over. Raises Rejected if a step gave something else."""
    if task.items is not None:
        return task.items
    found: Any = None
    if task.spec.artifact_iterator:
        found = bound.artifacts.get(task.spec.artifact_iterator.items.input_artifact)
    elif task.spec.parameter_iterator:
        found = _parsed(bound.parameters.get(str(task.spec.parameter_iterator.items.input_parameter)))
    if not isinstance(found, list):
        raise Rejected("the loop's input is no list", field=path)
    return found


def _take(task: Task, into: dict[str, Any], name: str, find: Callable[[], Any]) -> None:
    """Take one input over; what was not produced is left out where the task runs in any case."""
    try:
        into[name] = find()
    except MissingOutputError:
        if not task.always:
            raise


def _with_defaults(component: Component, given: Mapping[str, Any], path: str) -> dict[str, Any]:
    values = {}
    for name, declared in component.input_definitions.parameters.items():
        field_ = f"{path}.{name}"
        value = given.get(name, declared.default_value)
        if name not in given and declared.default_value is None:
            if not (declared.is_optional or declared.has_default or (component.dag and name.startswith(CHANNEL))):
                raise Rejected("is needed", field=field_)
            continue
        values[name] = value if name.startswith(CHANNEL) else declared.take(value, field_)
    return values


def _parameter(source: ParameterSource, around: Around, path: str) -> Any:
    if source.runtime_value is not None:
        value = source.runtime_value.constant
    elif source.task_final_status is not None:
        value = around.ends(source.task_final_status.producer_task)
    elif source.task_output_parameter is not None:
        of = source.task_output_parameter
        value = _made(around.outputs[of.producer_task].parameters, of.producer_task, of.output_parameter_key)
    else:
        value = around.scope.parameters[str(source.component_input_parameter)]
    key = item_key(source.parameter_expression_selector, path)
    if key is None:
        return value
    value = _parsed(value)
    if not isinstance(value, dict) or key not in value:
        raise Rejected(f"the item has no {key!r}", field=path)
    return value[key]


def _made(outputs: Mapping[str, Any], producer: str, key: str) -> Any:
    if key not in outputs:
        raise MissingOutputError(f"needs {key!r} of {producer!r}, which was skipped")
    return outputs[key]


def _is_loose(source: ParameterSource) -> bool:
    """Whether the compiler may not have known the value's type: an item of a plain list, or a part of it."""
    return bool(source.parameter_expression_selector) or str(source.component_input_parameter).startswith(CHANNEL)


def _as_text(declared: InputParameter, value: Any) -> Any:
    """Return a value as JSON text where a text is taken: of a plain list's items the compiler says no more."""
    text = declared.parameter_type == "STRING" and not isinstance(value, str)
    return to_text(whole(value)) if text else value


def _parsed(value: Any) -> Any:
    """Return the list or struct that a text spells in JSON, anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return from_json(value)
    except ValueError:
        return value

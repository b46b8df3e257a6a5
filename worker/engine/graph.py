"""A parsed spec as graphs of tasks in running order, every reference checked: what is wrong is said at submit."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from worker.engine import condition, importer, links, placeholder, structure
from worker.engine.condition import Condition
from worker.engine.container import Container, Executor
from worker.engine.interface import InputParameter, Inputs
from worker.engine.loop_items import items_around
from worker.engine.policy import ArtifactIterator
from worker.engine.spec import Component, Dag, PipelineSpec, parse
from worker.engine.spec import Task as TaskSpec
from worker.engine.values import ParameterType
from worker.errors import Rejected

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_ITEM_KEY = re.compile(r'parseJson\(string_value\)\["([^"\\]+)"\]')


@dataclass(frozen=True)
class Task:
    """One task, checked.

    Attributes:
        name: its segment in paths: its display name where that is unique, else its key.
        needs: keys of the tasks that must have succeeded, by data or by `after`.
        items: a loop's written list, else None.
    """

    key: str
    name: str
    spec: TaskSpec
    needs: tuple[str, ...]
    condition: Condition | None
    items: tuple[Any, ...] | None

    @property
    def loops(self) -> bool:
        """Whether the task runs its component once for each item of a list."""
        return self.spec.iterator is not None

    @property
    def always(self) -> bool:
        """Whether it runs however what it needs has ended."""
        return self.spec.trigger_policy.strategy == "ALL_UPSTREAM_TASKS_COMPLETED"


@dataclass(frozen=True)
class Graph:
    """A pipeline that can be executed: `dags` holds each DAG component's tasks in running order, "" the root's."""

    spec: PipelineSpec
    dags: Mapping[str, tuple[Task, ...]]

    def component(self, name: str) -> Component:
        """Return a component by its name in the spec, "" for the root."""
        return self.spec.components[name] if name else self.spec.root

    def executor(self, name: str) -> Executor:
        """Return what a component that is no DAG runs."""
        return self.spec.deployment_spec.executors[str(self.component(name).executor_label)]

    def containers(self) -> Iterator[tuple[str, Container]]:
        """Return each container's path in the spec, and the container."""
        for label, executor in self.spec.deployment_spec.executors.items():
            if executor.container:
                yield f"deploymentSpec.executors.{label}.container", executor.container


def build(document: Mapping[str, Any]) -> Graph:
    """Return the checked graph of a PipelineSpec's JSON values.

    Raises:
        Rejected: something that the engine does not know, or that does not fit; `field` is its path in the spec.
    """
    spec = parse(document)
    if spec.root.dag is None:
        raise Rejected("the root must be a DAG", field="root")
    _check_nesting(spec)
    dags, items = {}, items_around(spec)
    for name, component in {"": spec.root, **spec.components}.items():
        path = f"components.{name}" if name else "root"
        if component.dag is not None:
            wiring = links.Links(spec, component, component.dag, f"{path}.dag", items.get(name, ()))
            dags[name] = tuple(_Builder(spec, wiring, component.dag, f"{path}.dag").tasks())
        else:
            _check_executor(spec, component, path)
        for key, declared in component.input_definitions.parameters.items():
            if declared.has_default and declared.default_value is not None:
                _check_default(declared, f"{path}.inputDefinitions.parameters.{key}.defaultValue")
    return Graph(spec, dags)


def item_key(selector: str | None, field: str) -> str | None:
    """Return the key that an expression selects of a struct. Raises Rejected for any other expression."""
    if selector is None:
        return None
    match = _ITEM_KEY.fullmatch(selector)
    if not match:
        raise Rejected(f"the local engine does not know this expression: {selector}", field=field)
    return match[1]


def _check_default(declared: InputParameter, field: str) -> None:
    declared.take(declared.default_value, field)
    if any("{{$" in text for text in placeholder.strings(declared.default_value)):
        mend = "give it where the task is called"
        raise Rejected("no placeholder is known in a default value", field=field, mend=mend)


def _check_executor(spec: PipelineSpec, component: Component, path: str) -> None:
    executor = spec.deployment_spec.executors.get(str(component.executor_label))
    if executor is None:
        raise Rejected(f"there is no executor {component.executor_label!r}", field=f"{path}.executorLabel")
    for key, artifact in component.output_definitions.artifacts.items():
        if artifact.is_artifact_list:
            at = f"{path}.outputDefinitions.artifacts.{key}.isArtifactList"
            raise Rejected("the local engine does not know a step that writes a list of artifacts", field=at)
    at = f"deploymentSpec.executors.{component.executor_label}"
    if executor.importer:
        importer.check(executor.importer, component, f"{at}.importer")
    if executor.container:
        _check_container(executor.container, component, f"{at}.container")


def _check_container(container: Container, component: Component, at: str) -> None:
    for part, texts in (("command", container.command), ("args", container.args)):
        for number, text in enumerate(texts):
            structure.check(text, component, f"{at}.{part}.{number}")
    for number, variable in enumerate(container.env):
        if "{{$" in variable.value or "{{channel:" in variable.value:
            mend = "give the value as an argument of the component"
            raise Rejected("no placeholder is known in the environment", field=f"{at}.env.{number}.value", mend=mend)


def _check_nesting(spec: PipelineSpec) -> None:
    uses = {
        name: {task.component_ref.name for task in component.dag.tasks.values()}
        for name, component in spec.components.items()
        if component.dag
    }
    try:
        TopologicalSorter(uses).prepare()
    except CycleError as error:
        raise Rejected(f"components contain each other: {', '.join(error.args[1])}", field="components") from error


def _names(tasks: Mapping[str, TaskSpec]) -> dict[str, str]:
    shown = {key: task.task_info.name for key, task in tasks.items()}
    usable = all(map(_SEGMENT.fullmatch, shown.values())) and len(set(shown.values())) == len(shown)
    return shown if usable else {key: key for key in tasks}


class _Builder:
    """Checks one DAG's tasks against each other and against what the DAG itself declares."""

    def __init__(self, spec: PipelineSpec, wiring: links.Links, dag: Dag, path: str) -> None:
        self.spec, self.wiring, self.dag, self.path = spec, wiring, dag, path

    def tasks(self) -> Iterable[Task]:
        """Return the tasks in running order; equal ones in the spec's order."""
        for key, task in self.dag.tasks.items():
            if task.component_ref.name not in self.spec.components:
                at = f"{self.path}.tasks.{key}.componentRef.name"
                raise Rejected(f"there is no component {task.component_ref.name!r}", field=at)
        self.wiring.check()
        needs = {key: self.wiring.needs(key) for key in self.dag.tasks}
        names = _names(self.dag.tasks)
        try:
            order = list(TopologicalSorter(needs).static_order())
        except CycleError as error:
            raise Rejected(f"tasks wait for each other: {', '.join(error.args[1])}", field=self.path) from error
        return [self._task(key, names[key], needs[key]) for key in order]

    def _task(self, key: str, name: str, needs: tuple[str, ...]) -> Task:
        task, path = self.dag.tasks[key], f"{self.path}.tasks.{key}"
        for source, given in task.inputs.parameters.items():
            at = f"{path}.inputs.parameters.{source}.parameterExpressionSelector"
            item_key(given.parameter_expression_selector, at)
        self._check_policies(task, path)
        return Task(key, name, task, needs, self._condition(task, path), self._items(task, path))

    def _check_policies(self, task: TaskSpec, path: str) -> None:
        if task.iterator_policy.parallelism_limit and not task.iterator:
            raise Rejected("there is no loop to limit", field=f"{path}.iteratorPolicy")

    def _condition(self, task: TaskSpec, path: str) -> Condition | None:
        text = task.trigger_policy.condition
        if text is None:
            return None
        if task.iterator:
            raise Rejected("the local engine does not know a loop with a condition", field=f"{path}.triggerPolicy")
        declared = self.spec.components[task.component_ref.name].input_definitions.parameters
        types: dict[str, ParameterType] = {
            key: declared[key].parameter_type for key in task.inputs.parameters if key in declared
        }
        return condition.parse(text, types, f"{path}.triggerPolicy.condition")

    def _items(self, task: TaskSpec, path: str) -> tuple[Any, ...] | None:
        inputs = self.spec.components[task.component_ref.name].input_definitions
        over = task.artifact_iterator
        if over is not None:
            _check_artifact_loop(over, task, inputs, f"{path}.artifactIterator")
        loop = task.parameter_iterator
        if loop is None:
            return None
        at = f"{path}.parameterIterator"
        if loop.item_input not in inputs.parameters:
            raise Rejected(f"the component has no input {loop.item_input!r}", field=f"{at}.itemInput")
        if loop.items.input_parameter is not None:
            if loop.items.input_parameter not in task.inputs.parameters:
                raise Rejected("is no input of the task", field=f"{at}.items.inputParameter")
            return None
        try:
            items = json.loads(str(loop.items.raw))
        except ValueError as error:
            raise Rejected(f"is no JSON: {error}", field=f"{at}.items.raw") from error
        if not isinstance(items, list):
            raise Rejected("is no list", field=f"{at}.items.raw")
        if "{{$" in str(loop.items.raw) or "{{channel:" in str(loop.items.raw):
            raise Rejected("no placeholder is known in a loop's list", field=f"{at}.items.raw")
        return tuple(items)


def _check_artifact_loop(loop: ArtifactIterator, task: TaskSpec, inputs: Inputs, at: str) -> None:
    if loop.item_input not in inputs.artifacts:
        raise Rejected(f"the component has no input {loop.item_input!r}", field=f"{at}.itemInput")
    if loop.items.input_artifact not in task.inputs.artifacts:
        raise Rejected("is no input of the task", field=f"{at}.items.inputArtifact")

"""Checks of what flows between the tasks of one DAG: every source exists, and is of the kind its taker declares."""

from collections.abc import Collection

from worker.engine import placeholder
from worker.engine.container import Container
from worker.engine.loop_items import CHANNEL, is_meant_field
from worker.engine.sources import ArtifactSource, ParameterSource
from worker.engine.spec import Component, Dag, PipelineSpec, Task
from worker.engine.values import ParameterType, cast
from worker.errors import Rejected

#: Inputs that the compiler adds beside them where a container's needs or image are given by parameters.
_SETTINGS = frozenset(
    {
        "cpu_limit",
        "cpu_request",
        "memory_limit",
        "memory_request",
        "accelerator_type",
        "accelerator_count",
        "base_image",
    }
)
#: Where it cannot be told what is meant; Vertex AI refuses such specs, too (github.com/kubeflow/pipelines/issues/6628).
_LOST = (
    "the compiler lost a loop's item on its way into a group or a text: give it to a task as an argument of its own, "
    "and use that task's output"
)


class Links:
    """The wiring of one DAG: its tasks' inputs, and its own outputs."""

    def __init__(self, spec: PipelineSpec, outer: Component, dag: Dag, path: str, items: Collection[str] = ()) -> None:
        """`items`: those of the loops around this DAG, wherever it is used (`loop_items.items_around`)."""
        self.spec, self.outer, self.dag, self.path, self.items = spec, outer, dag, path, items

    def check(self) -> None:
        """Raise Rejected for the first thing that does not fit."""
        for key, task in self.dag.tasks.items():
            at = f"{self.path}.tasks.{key}"
            for number, name in enumerate(task.dependent_tasks):
                self._task(name, f"{at}.dependentTasks.{number}")
            for name, source in task.inputs.parameters.items():
                self._check_parameter(task, name, source, f"{at}.inputs.parameters.{name}")
            for name, given in task.inputs.artifacts.items():
                self._check_artifact(task, name, given, f"{at}.inputs.artifacts.{name}")
            self._check_complete(task, f"{at}.inputs")
            self._check_resources(task, at)
            if task.iterator:
                self._check_collected(task, at)
        self._check_outputs()

    def needs(self, key: str) -> tuple[str, ...]:
        """Return the keys of the tasks that one waits for, in the spec's order."""
        task = self.dag.tasks[key]
        producers = {*task.dependent_tasks, *task.inputs.producers()}
        return tuple(name for name in self.dag.tasks if name in producers)

    def _component(self, task: Task) -> Component:
        return self.spec.components[task.component_ref.name]

    def _task(self, key: str, field: str) -> Task:
        if key not in self.dag.tasks:
            raise Rejected(f"there is no task {key!r} in this DAG", field=field)
        return self.dag.tasks[key]

    def _check_parameter(self, task: Task, name: str, source: ParameterSource, field: str) -> None:
        declared = self._component(task).input_definitions.parameters.get(name)
        if declared is None and not name.startswith(CHANNEL) and not (name in _SETTINGS and self._container(task)):
            raise Rejected(f"the component has no input parameter {name!r}", field=field)
        taken: ParameterType | None = "STRING" if name in _SETTINGS else None
        given = self._parameter_type(task, name, source, declared.parameter_type if declared else taken, field)
        loose = name.startswith(CHANNEL) or source.parameter_expression_selector or given is None
        if declared is None or loose or str(source.component_input_parameter).startswith(CHANNEL):
            return
        if given != declared.parameter_type and (given, declared.parameter_type) != ("NUMBER_INTEGER", "NUMBER_DOUBLE"):
            raise Rejected(f"is given a {given}, but takes a {declared.parameter_type}", field=field)

    def _parameter_type(
        self, task: Task, name: str, source: ParameterSource, declared: ParameterType | None, field: str
    ) -> ParameterType | None:
        if source.component_input_parameter is not None:
            outer = self.outer.input_definitions.parameters.get(source.component_input_parameter)
            if outer is None and is_meant_field(source, name, self.outer.input_definitions.parameters):
                return self.outer.input_definitions.parameters[name].parameter_type
            if outer is None and source.component_input_parameter in self.items:
                return None  # of a loop farther out: the compiler names it in texts, and does not pass it on
            if outer is None and name.startswith(CHANNEL) and self._is_unread(task, name):
                return None  # the compiler passes a loop's item to the loops around it, too, where there is none
            if outer is None:
                mend = _LOST if "loop-item" in source.component_input_parameter else ""
                reason = f"the DAG has no input parameter {source.component_input_parameter!r}"
                raise Rejected(reason, field=field, mend=mend)
            return outer.parameter_type
        if source.task_output_parameter:
            of = source.task_output_parameter
            outputs = self._component(self._task(of.producer_task, field)).output_definitions.parameters
            if of.output_parameter_key not in outputs:
                raise Rejected(f"{of.producer_task!r} gives no parameter {of.output_parameter_key!r}", field=field)
            return outputs[of.output_parameter_key].parameter_type
        if source.task_final_status:
            self._task(source.task_final_status.producer_task, field)
            return "TASK_FINAL_STATUS"
        if source.runtime_value:
            self._check_constant(task, source.runtime_value.constant, declared, field)
        return None

    def _is_unread(self, task: Task, name: str) -> bool:
        """Whether neither the group's condition, nor its loop, nor any of its tasks takes this input of it."""
        dag = self._component(task).dag
        over = task.parameter_iterator.items.input_parameter if task.parameter_iterator else None
        read = name == over or f"['{name}']" in (task.trigger_policy.condition or "")
        return (
            dag is not None
            and not read
            and all(
                self._is_unread(inner, taken)
                for inner in dag.tasks.values()
                for taken, source in inner.inputs.parameters.items()
                if source.component_input_parameter == name
            )
        )

    def _check_constant(self, task: Task, value: object, declared: ParameterType | None, field: str) -> None:
        holes = 0
        for text in placeholder.strings(value):
            for one in placeholder.find(text, field):
                holes += 1
                if one.form not in ("run", "input_parameter", *self._late(task, value)):
                    raise Rejected(f"the local engine does not know {one.form} in this constant", field=field)
                if one.form == "input_parameter" and one.name not in task.inputs.parameters:
                    raise Rejected(f"refers to {one.name!r}, which is no input parameter of the task", field=field)
        forms = {one.form for text in placeholder.strings(value) for one in placeholder.find(text, field)}
        if "input_parameter" in forms and forms & placeholder.LATE:
            raise Rejected("mixes values with what only an attempt knows", field=field)
        if holes and declared not in ("STRING", "LIST", "STRUCT"):
            raise Rejected(f"a placeholder makes a text, but the input takes a {declared}", field=field)
        if declared is not None:
            cast(value, declared, field)

    def _late(self, task: Task, value: object) -> frozenset[str]:
        """Return the placeholders of an attempt that a constant may have: a text, for what has attempts."""
        return placeholder.LATE if isinstance(value, str) and self._container(task) else frozenset()

    def _container(self, task: Task) -> Container | None:
        executor = self.spec.deployment_spec.executors.get(str(self._component(task).executor_label))
        return executor.container if executor else None

    def _check_resources(self, task: Task, at: str) -> None:
        container = self._container(task)
        for path, text in container.resources.texts().items() if container else ():
            field = f"deploymentSpec.executors.{self._component(task).executor_label}.container.resources.{path}"
            for one in placeholder.find(text, field):
                if one.form != "input_parameter" or one.name not in task.inputs.parameters:
                    raise Rejected(f"{text} is no input parameter of the task {at}", field=field)

    def _check_artifact(self, task: Task, name: str, source: ArtifactSource, field: str) -> None:
        declared = self._component(task).input_definitions.artifacts.get(name)
        if declared is None:
            raise Rejected(f"the component has no input artifact {name!r}", field=field)
        if source.component_input_artifact is not None:
            outer = self.outer.input_definitions.artifacts.get(source.component_input_artifact)
            if outer is None:
                raise Rejected(f"the DAG has no input artifact {source.component_input_artifact!r}", field=field)
            many = outer.is_artifact_list
        else:
            of = source.task_output_artifact
            many = self._gives_many(of.producer_task, of.output_artifact_key, field) if of else False
        if many != declared.is_artifact_list:
            raise Rejected("one side is a list of artifacts, the other is not", field=field)

    def _gives_many(self, task: str, key: str, field: str) -> bool:
        outputs = self._component(self._task(task, field)).output_definitions.artifacts
        if key not in outputs:
            raise Rejected(f"{task!r} gives no artifact {key!r}", field=field)
        return outputs[key].is_artifact_list

    def _check_complete(self, task: Task, field: str) -> None:
        inputs = self._component(task).input_definitions
        item = task.iterator.item_input if task.iterator else None
        for name, parameter in inputs.parameters.items():
            optional = parameter.is_optional or parameter.has_default or name == item
            if not optional and name not in task.inputs.parameters:
                raise Rejected("the component needs this input", field=f"{field}.parameters.{name}")
        for name, artifact in inputs.artifacts.items():
            if not artifact.is_optional and name != item and name not in task.inputs.artifacts:
                raise Rejected("the component needs this input", field=f"{field}.artifacts.{name}")

    def _check_collected(self, task: Task, field: str) -> None:
        component = self._component(task)
        if component.dag is None:
            raise Rejected("the local engine knows loops over DAGs only", field=f"{field}.componentRef")
        for name, parameter in component.output_definitions.parameters.items():
            if parameter.parameter_type != "LIST":
                raise Rejected(f"a loop gives lists, but its output {name!r} is declared otherwise", field=field)
        for name, artifact in component.output_definitions.artifacts.items():
            if not artifact.is_artifact_list:
                raise Rejected(f"a loop gives lists of artifacts, but {name!r} is declared otherwise", field=field)

    def _check_outputs(self) -> None:
        at, declared = f"{self.path}.outputs", self.outer.output_definitions
        missing = {*declared.parameters, *declared.artifacts} - {
            *self.dag.outputs.parameters,
            *self.dag.outputs.artifacts,
        }
        if missing:
            raise Rejected(f"declared outputs that nothing gives: {', '.join(sorted(missing))}", field=at)
        for name, parameter in self.dag.outputs.parameters.items():
            field = f"{at}.parameters.{name}"
            if name not in declared.parameters:
                raise Rejected("the component declares no such output", field=field)
            for of in parameter.places:
                producer = self._component(self._task(of.producer_subtask, field))
                if of.output_parameter_key not in producer.output_definitions.parameters:
                    raise Rejected(f"{of.producer_subtask!r} gives no {of.output_parameter_key!r}", field=field)
        for name, artifact in self.dag.outputs.artifacts.items():
            field = f"{at}.artifacts.{name}"
            if name not in declared.artifacts:
                raise Rejected("the component declares no such output", field=field)
            for one in artifact.artifact_selectors:
                self._gives_many(one.producer_subtask, one.output_artifact_key, field)

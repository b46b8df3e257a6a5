"""The PipelineSpec's JSON as typed values. These models are the whitelist: a field that is not here is refused."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from worker.engine.container import Executor
from worker.engine.interface import Inputs, Name, Node, Outputs
from worker.engine.policy import (
    ArtifactIterator,
    CachingOptions,
    IteratorPolicy,
    ParameterIterator,
    RetryPolicy,
    TriggerPolicy,
)
from worker.engine.sources import TaskInputs
from worker.errors import Rejected


class TaskInfo(Node):
    """The task's name for people."""

    name: str = ""


class ComponentRef(Node):
    """Which component the task runs."""

    name: str


class Task(Node):
    """One task of a DAG."""

    task_info: TaskInfo = TaskInfo()
    inputs: TaskInputs = TaskInputs()
    dependent_tasks: tuple[str, ...] = Field(default=(), strict=False)
    caching_options: CachingOptions = CachingOptions()
    component_ref: ComponentRef
    trigger_policy: TriggerPolicy = TriggerPolicy()
    parameter_iterator: ParameterIterator | None = None
    artifact_iterator: ArtifactIterator | None = None
    iterator_policy: IteratorPolicy = IteratorPolicy()
    retry_policy: RetryPolicy | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.parameter_iterator and self.artifact_iterator:
            raise ValueError("needs one of parameterIterator, artifactIterator, not both")
        return self

    @property
    def iterator(self) -> ParameterIterator | ArtifactIterator | None:
        """Its loop, if it has one."""
        return self.parameter_iterator or self.artifact_iterator

    @property
    def retries(self) -> int:
        """How often it may be tried again."""
        return self.retry_policy.max_retry_count if self.retry_policy else 0


class ParameterSelector(Node):
    """A subtask's output parameter."""

    producer_subtask: str
    output_parameter_key: str


class ArtifactSelector(Node):
    """A subtask's output artifact."""

    producer_subtask: str
    output_artifact_key: str


class ParameterSelectors(Node):
    """Several places, of which the first that gives a value counts: branches of a choice."""

    parameter_selectors: tuple[ParameterSelector, ...] = Field(min_length=1, strict=False)


class DagOutputParameter(Node):
    """Where a DAG's output parameter comes from."""

    value_from_parameter: ParameterSelector | None = None
    value_from_oneof: ParameterSelectors | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._exactly_one("value_from_parameter", "value_from_oneof")
        return self

    @property
    def places(self) -> tuple[ParameterSelector, ...]:
        """Where it may come from, in the order in which they count."""
        if self.value_from_parameter:
            return (self.value_from_parameter,)
        return self.value_from_oneof.parameter_selectors if self.value_from_oneof else ()


class DagOutputArtifact(Node):
    """Where a DAG's output artifact comes from: the first of these places that gives one."""

    artifact_selectors: tuple[ArtifactSelector, ...] = Field(min_length=1, strict=False)


class DagOutputs(Node):
    """What a DAG gives of its subtasks' outputs."""

    parameters: dict[str, DagOutputParameter] = Field(default_factory=dict)
    artifacts: dict[str, DagOutputArtifact] = Field(default_factory=dict)


class Dag(Node):
    """Tasks and what they give together."""

    tasks: dict[Name, Task] = Field(default_factory=dict)
    outputs: DagOutputs = DagOutputs()


class Component(Node):
    """Something a task can run: a DAG, or an executor."""

    input_definitions: Inputs = Inputs()
    output_definitions: Outputs = Outputs()
    dag: Dag | None = None
    executor_label: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._exactly_one("dag", "executor_label")
        return self


class DeploymentSpec(Node):
    """The executors, by label."""

    executors: dict[str, Executor] = Field(default_factory=dict)


class PipelineInfo(Node):
    """The pipeline's names."""

    name: str
    display_name: str = ""
    description: str = ""


class PipelineSpec(Node):
    """A compiled pipeline; `sdkVersion` and `defaultPipelineRoot` say nothing about how it runs here."""

    pipeline_info: PipelineInfo
    deployment_spec: DeploymentSpec = DeploymentSpec()
    sdk_version: str = ""
    schema_version: Literal["2.1.0"]
    components: dict[str, Component] = Field(default_factory=dict)
    root: Component
    default_pipeline_root: str = ""


def parse(document: Mapping[str, Any]) -> PipelineSpec:
    """Return the spec of its JSON values.

    Raises:
        Rejected: something that the engine does not know; `field` is its path, the reason names up to five.
    """
    try:
        return PipelineSpec.model_validate(dict(document))
    except ValidationError as error:
        faults = [(".".join(map(str, fault["loc"])), _reason(fault)) for fault in error.errors()]
    field, reason = faults[0]
    more = "; ".join(f"{path}: {text}" for path, text in faults[1:5])
    raise Rejected(f"{reason}; {more}" if more else reason, field=field)


def _reason(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "extra_forbidden":
        return "the local engine does not know this field"
    return str(fault["msg"]).removeprefix("Value error, ")

"""The PipelineSpec's JSON as typed values. These models are the whitelist: a field that is not here is refused."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from worker.engine.container import Executor
from worker.engine.interface import Inputs, Name, Node, Outputs
from worker.errors import Rejected


class TaskOutputParameter(Node):
    """Another task's output parameter."""

    producer_task: str
    output_parameter_key: str


class TaskOutputArtifact(Node):
    """Another task's output artifact."""

    producer_task: str
    output_artifact_key: str


class Constant(Node):
    """A value written in the spec."""

    constant: Any


class ParameterSource(Node):
    """Where a task's input parameter comes from."""

    task_output_parameter: TaskOutputParameter | None = None
    runtime_value: Constant | None = None
    component_input_parameter: str | None = None
    parameter_expression_selector: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._exactly_one("task_output_parameter", "runtime_value", "component_input_parameter")
        return self


class ArtifactSource(Node):
    """Where a task's input artifact comes from."""

    task_output_artifact: TaskOutputArtifact | None = None
    component_input_artifact: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._exactly_one("task_output_artifact", "component_input_artifact")
        return self


class TaskInputs(Node):
    """A task's inputs, by the component's names for them."""

    parameters: dict[str, ParameterSource] = Field(default_factory=dict)
    artifacts: dict[str, ArtifactSource] = Field(default_factory=dict)


class TaskInfo(Node):
    """The task's name for people."""

    name: str = ""


class CachingOptions(Node):
    """Whether an earlier result may be used; this engine keeps none, so that a task asking for it simply runs."""

    enable_cache: bool = False


class ComponentRef(Node):
    """Which component the task runs."""

    name: str


class TriggerPolicy(Node):
    """When the task runs; by default once all that it needs has succeeded."""

    condition: str | None = None
    strategy: Literal["TRIGGER_STRATEGY_UNSPECIFIED", "ALL_UPSTREAM_TASKS_SUCCEEDED"] = "ALL_UPSTREAM_TASKS_SUCCEEDED"


class IteratorItems(Node):
    """A loop's list: JSON text, or one of the task's own inputs."""

    raw: str | None = None
    input_parameter: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._exactly_one("raw", "input_parameter")
        return self


class ParameterIterator(Node):
    """A loop over a list of values."""

    items: IteratorItems
    item_input: str


class IteratorPolicy(Node):
    """How many iterations run at a time; 0 is no limit."""

    parallelism_limit: int = Field(default=0, ge=0)


def _seconds(text: str) -> str:
    if not text.endswith("s") or not text[:-1].replace(".", "", 1).isdigit():
        raise ValueError(f"{text!r} is not a duration such as 5s")
    return text


Seconds = Annotated[str, AfterValidator(_seconds)]


class RetryPolicy(Node):
    """How often and after how long a failed task is tried again."""

    max_retry_count: int = Field(default=0, ge=0)
    backoff_duration: Seconds = "0s"
    backoff_factor: float = Field(default=2.0, ge=0)
    backoff_max_duration: Seconds = "3600s"

    def delay_s(self, retry: int) -> float:
        """Return the seconds to wait before the n-th retry (1, 2 …), never more than the cap, nor than an hour."""
        cap = min(float(self.backoff_max_duration[:-1]) or 3600.0, 3600.0)
        wait = float(self.backoff_duration[:-1])
        for _ in range(retry - 1):
            if wait >= cap:
                break
            wait *= self.backoff_factor or 2.0
        return min(wait, cap)


class Task(Node):
    """One task of a DAG."""

    task_info: TaskInfo = TaskInfo()
    inputs: TaskInputs = TaskInputs()
    dependent_tasks: tuple[str, ...] = Field(default=(), strict=False)
    caching_options: CachingOptions = CachingOptions()
    component_ref: ComponentRef
    trigger_policy: TriggerPolicy = TriggerPolicy()
    parameter_iterator: ParameterIterator | None = None
    iterator_policy: IteratorPolicy = IteratorPolicy()
    retry_policy: RetryPolicy | None = None


class ParameterSelector(Node):
    """A subtask's output parameter."""

    producer_subtask: str
    output_parameter_key: str


class ArtifactSelector(Node):
    """A subtask's output artifact."""

    producer_subtask: str
    output_artifact_key: str


class DagOutputParameter(Node):
    """Where a DAG's output parameter comes from."""

    value_from_parameter: ParameterSelector


class DagOutputArtifact(Node):
    """Where a DAG's output artifact comes from: one place (a choice between several is not known here)."""

    artifact_selectors: tuple[ArtifactSelector] = Field(strict=False)


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

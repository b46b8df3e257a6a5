"""Where a task's inputs come from: constants, the DAG's own inputs, and other tasks' outputs."""

from typing import Any, Self

from pydantic import Field, model_validator

from worker.engine.interface import Node


class TaskOutputParameter(Node):
    """Another task's output parameter."""

    producer_task: str
    output_parameter_key: str


class TaskOutputArtifact(Node):
    """Another task's output artifact."""

    producer_task: str
    output_artifact_key: str


class TaskFinalStatus(Node):
    """How another task ended."""

    producer_task: str


class Constant(Node):
    """A value written in the spec."""

    constant: Any


class ParameterSource(Node):
    """Where a task's input parameter comes from."""

    task_output_parameter: TaskOutputParameter | None = None
    runtime_value: Constant | None = None
    component_input_parameter: str | None = None
    task_final_status: TaskFinalStatus | None = None
    parameter_expression_selector: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._exactly_one("task_output_parameter", "runtime_value", "component_input_parameter", "task_final_status")
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

    def producers(self) -> set[str]:
        """Return the keys of the tasks whose outputs, or ends, are taken."""
        values, artifacts = self.parameters.values(), self.artifacts.values()
        return {
            *(source.task_output_parameter.producer_task for source in values if source.task_output_parameter),
            *(source.task_final_status.producer_task for source in values if source.task_final_status),
            *(source.task_output_artifact.producer_task for source in artifacts if source.task_output_artifact),
        }

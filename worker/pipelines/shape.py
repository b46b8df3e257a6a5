"""The form of a template's YAML: its fields, their types and their defaults."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from worker.bee import Duration
from worker.pipelines.cron import checked_cron, checked_zone


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _condition(value: Any) -> Any:
    if isinstance(value, str) or value is None:
        return value
    raise ValueError(f"{value!r} is no condition; write it as ${{parameters.deploy}} == true")


def _listed(value: Any) -> Any:
    if isinstance(value, str | list) or value is None:
        return value
    raise ValueError(
        f"{value!r} is no list; write ${{parameters.NAME}}, ${{steps.ID.outputs.NAME}}, or the list itself"
    )


def _at_least_a_second(value: timedelta) -> timedelta:
    if value < timedelta(seconds=1):
        raise ValueError("is shorter than a second; leave it out for no limit")
    return value


class Retry(_Shape):
    """How often a step is tried in all, and how long to wait before the second time (doubled each time after)."""

    attempts: int = Field(default=2, ge=1, le=10)
    backoff: Duration = timedelta(seconds=5)


class Resources(_Shape):
    """What a step's machine must have, in Kubernetes notation (`500m`, `2`; `4G`, `512Mi`)."""

    cpu: Annotated[str, Field(pattern=r"^\d+(\.\d+)?m?$")] | None = None
    memory: Annotated[str, Field(pattern=r"^\d+(\.\d+)?([EPTGMK]i?)?$")] | None = None


class StepShape(_Shape):
    """One step as the YAML has it."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
    type: str
    config: dict[str, Any] = Field(default_factory=dict)
    after: list[str] = Field(default_factory=list)
    retry: Retry = Retry()
    resources: Resources = Resources()
    inputs: dict[str, str] = Field(default_factory=dict)
    when: Annotated[str, BeforeValidator(_condition)] | None = None
    foreach: Annotated[str | list[Any], BeforeValidator(_listed)] | None = None
    parallelism: Annotated[int, Field(ge=1, le=1000)] | None = None
    timeout: Annotated[Duration, AfterValidator(_at_least_a_second)] | None = None


class Schedule(_Shape):
    """When a template is triggered by itself: a cron expression of five fields, by the clock of a zone."""

    cron: Annotated[str, AfterValidator(checked_cron)]
    zone: Annotated[str, AfterValidator(checked_zone)] = "UTC"
    parameters: dict[str, Any] = Field(default_factory=dict)


class TemplateShape(_Shape):
    """A template as the YAML has it."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] = "1"
    description: str = ""
    trigger: Literal["drift", "manual", "schedule"] = "manual"
    schedule: Schedule | None = None
    parameters: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Any] = Field(default_factory=dict)
    steps: Annotated[list[StepShape], Field(min_length=1, max_length=200)]

"""When, how often and how many at a time: a task's trigger, loop, retry and caching."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from worker.engine.interface import Node


class CachingOptions(Node):
    """Whether an earlier result may be used, and under which key if not the usual one."""

    enable_cache: bool = False
    cache_key: str = ""


class TriggerPolicy(Node):
    """When the task runs: once all that it needs has succeeded, or has ended in whatever way."""

    condition: str | None = None
    strategy: Literal[
        "TRIGGER_STRATEGY_UNSPECIFIED", "ALL_UPSTREAM_TASKS_SUCCEEDED", "ALL_UPSTREAM_TASKS_COMPLETED"
    ] = "ALL_UPSTREAM_TASKS_SUCCEEDED"


class ParameterItems(Node):
    """A loop's list of values: JSON text, or one of the task's own inputs."""

    raw: str | None = None
    input_parameter: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._exactly_one("raw", "input_parameter")
        return self


class ParameterIterator(Node):
    """A loop over a list of values."""

    items: ParameterItems
    item_input: str


class ArtifactItems(Node):
    """A loop's list of artifacts: one of the task's own inputs."""

    input_artifact: str


class ArtifactIterator(Node):
    """A loop over a list of artifacts."""

    items: ArtifactItems
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

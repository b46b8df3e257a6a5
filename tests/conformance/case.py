"""A micro-pipeline with what exactly must come of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SUCCEEDED, FAILED, SKIPPED, CANCELLED = "succeeded", "failed", "skipped", "cancelled"


@dataclass(frozen=True)
class Case:
    """One pipeline, one run.

    Attributes:
        pipeline: the function that `kfp.dsl.pipeline` makes a pipeline of.
        trace: each step's path and how it ended; steps that are not named must not exist.
        gives: output parameters by `path.name`, those of the pipeline itself by `name`.
        parameters: the run's; `{tmp}` in a text is a directory of the run's own.
        state: the run's.
        error: a part of the run's error.
        files: what must stand in files under `{tmp}` (a part of it), by name; None: no such file.
        cancel_at: cancel the run when this file exists.
        attempts: of steps that were tried more than once.
    """

    name: str
    pipeline: Callable[..., Any]
    trace: Mapping[str, str]
    gives: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    state: str = SUCCEEDED
    error: str = ""
    files: Mapping[str, str | None] = field(default_factory=dict)
    cancel_at: str = ""
    attempts: Mapping[str, int] = field(default_factory=dict)

    def given(self, tmp: Path) -> dict[str, Any]:
        """Return the parameters for a run with this directory."""

        def placed(value: Any) -> Any:
            if isinstance(value, list):
                return [placed(item) for item in value]
            return value.replace("{tmp}", str(tmp)) if isinstance(value, str) else value

        return {name: placed(value) for name, value in self.parameters.items()}


@dataclass(frozen=True)
class Refused:
    """A pipeline that is refused at submit.

    Attributes:
        field: a part of the path that the refusal names.
    """

    name: str
    pipeline: Callable[..., Any]
    field: str


def ran(*paths: str) -> dict[str, str]:
    """Return the trace of steps that succeeded."""
    return dict.fromkeys(paths, SUCCEEDED)


def skipped(*paths: str) -> dict[str, str]:
    """Return the trace of steps that were skipped."""
    return dict.fromkeys(paths, SKIPPED)

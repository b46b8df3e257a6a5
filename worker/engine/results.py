"""What tasks and groups of tasks have come to, and what is remembered of it from one look at a run to the next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from worker.engine.inputs import Bound
from worker.engine.plan import Leaf
from worker.engine.port import TaskRecord
from worker.engine.state import Status


@dataclass
class Result:
    """What one task, or a loop's iteration, has come to."""

    status: Status
    error: str | None = None
    outputs: Bound = field(default_factory=Bound)
    name: str = ""


@dataclass
class Memo:
    """Of a run, between two looks at its progress; what has ended stays as it is.

    Attributes:
        ended: iterations by path: what each has come to, and its leaves.
        enough: after how many steps that may start no further iteration is looked into.
    """

    enough: int
    ended: dict[str, tuple[Result, tuple[Leaf, ...]]] = field(default_factory=dict)


def folders(records: Mapping[str, TaskRecord]) -> frozenset[str]:
    """Return all paths that records lie at or under."""
    found = set(records)
    for path in records:
        while (path := path.rpartition("/")[0]) and path not in found:
            found.add(path)
    return frozenset(found)


def is_broken(status: Status) -> bool:
    """Whether what needs a task of this status cannot run."""
    return status.ended and status is not Status.SUCCEEDED


def joined(results: Iterable[Result]) -> Status:
    """Return the status of tasks together."""
    states = [result.status for result in results]
    if any(not state.ended for state in states):
        return Status.RUNNING
    if Status.CANCELLED in states:
        return Status.CANCELLED
    return Status.FAILED if Status.FAILED in states else Status.SUCCEEDED


def first_error(results: Iterable[Result], status: Status) -> str | None:
    """Return the first reason among the tasks of a status."""
    return next((result.error for result in results if result.status is status and result.error), None)


def word(status: Status) -> str:
    """Return what became of a task that is broken."""
    return {Status.FAILED: "failed", Status.SKIPPED: "was skipped"}.get(status, "was cancelled")

"""What the local engine asks of durable storage: a queue of jobs with leases, and each task's state."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from worker.clock import from_us
from worker.engine.state import Status

#: The label that the engine itself adds: when the job was submitted, in microseconds.
CREATED = "created-us"


@dataclass(frozen=True)
class Job:
    """A submitted run as the engine keeps it."""

    run_id: str
    spec: Mapping[str, Any]
    parameters: Mapping[str, Any]
    output_dir: str
    labels: Mapping[str, str]
    status: Status = Status.QUEUED
    error: str | None = None
    cancel_requested: bool = False

    @property
    def fail_fast(self) -> bool:
        """Whether nothing more is to begin once a step has failed: asked for by the label `failure-policy: fast`."""
        return self.labels.get("failure-policy") == "fast"

    @property
    def created(self) -> datetime | None:
        """When it was submitted, None if that was not kept."""
        text = self.labels.get(CREATED)
        return from_us(int(text)) if text else None


@dataclass(frozen=True)
class TaskRecord:
    """The durable state of one task of a run.

    Attributes:
        path: unique within the run, `train`, `loop/2/train`, `condition-1/deploy`.
        pid: the step's process group while it runs, for the orphan check after a crash.
        outputs: output parameters' values and output artifacts, once it has succeeded.
    """

    path: str
    status: Status
    attempt: int = 1
    pid: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    error: str | None = None
    log_tail: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """A lease on a job: writes under it are refused (LeaseLost) once the job has a newer epoch."""

    run_id: str
    epoch: int


class Journal(Protocol):
    """Durable, shared by all processes of a machine; each call is one transaction on the ledger's database."""

    def create(self, job: Job) -> bool:
        """Store a new job as QUEUED; False if the run id exists already."""
        ...

    def job(self, run_id: str) -> Job | None:
        """Return a job."""
        ...

    def tasks(self, run_id: str) -> Sequence[TaskRecord]:
        """Return the tasks recorded so far, in order of their first record."""
        ...

    def claim(self, owner: str, *, limit: int, lease_s: float) -> Sequence[Claim]:
        """Lease up to `limit` jobs that have not ended and whose lease is free or has run out (database's clock)."""
        ...

    def renew(self, claims: Sequence[Claim], *, lease_s: float) -> Sequence[Claim]:
        """Extend leases and return those that still hold."""
        ...

    def release(self, claim: Claim) -> None:
        """Give a lease back, so that another process can claim at once."""
        ...

    def record(
        self, claim: Claim, tasks: Sequence[TaskRecord], status: Status | None = None, error: str | None = None
    ) -> None:
        """Insert or replace tasks' states, in order, and set the job's status if one is given. Raises LeaseLost.

        A status that ends the job gives its lease back as well.
        """
        ...

    def to_cancel(self, run_ids: Sequence[str]) -> Collection[str]:
        """Return those of the runs that are marked for cancellation."""
        ...

    def request_cancel(self, run_id: str) -> None:
        """Mark a job for cancellation (a job nobody has claimed yet is CANCELLED at once)."""
        ...

"""What a run needs of a pipeline engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from worker.costs.estimate import Past, Window
from worker.costs.summary import RunCost
from worker.engine.state import Status
from worker.runs.lifecycle import Run


@dataclass(frozen=True)
class Submission:
    """One pipeline run, complete: nothing else is read to execute it.

    Attributes:
        run_id: `[a-z][-a-z0-9]{0,127}`; submitting it twice is the same run.
        spec: the compiled KFP PipelineSpec (schemaVersion 2.1.0) as JSON values.
        parameters: values of the spec's root input parameters.
        output_dir: where the run's artifacts go (a directory, or gs://bucket/prefix).
        labels: `[a-z0-9_-]{1,63}` keys and values; at least `installation` and `run`.
    """

    run_id: str
    spec: Mapping[str, Any]
    parameters: Mapping[str, Any]
    output_dir: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class StepState:
    """The live state of one step (the task's name in the spec, `loop/2/train` inside a loop).

    Attributes:
        machine: the machine that it was given, as `worker.costs.machine` writes it; None where it has none of its own.
    """

    step_id: str
    status: Status
    attempt: int = 1
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: str | None = None
    log_tail: str = ""
    machine: str | None = None


@dataclass(frozen=True)
class EngineState:
    """What the engine knows of a run.

    Attributes:
        status: as in the HTTP API.
        error: the reason of a failure, or what keeps a run from going on.
        stalled_since: since when the engine has had the run without beginning it, or has held it; None: it goes on, or
            waiting is no fault of this engine.
    """

    status: Status
    error: str | None = None
    steps: tuple[StepState, ...] = ()
    artifacts: tuple[Mapping[str, Any], ...] = field(default=())
    stalled_since: datetime | None = None


class PipelineEngine(Protocol):
    """Executes compiled specs: here, or on Vertex AI."""

    #: whether runs need this process to live on (local), or go on without it (remote).
    local: bool

    def submit(self, submission: Submission) -> None:
        """Hand a run over, durably; a second time with the same labels is a success.

        Raises:
            Rejected: the spec has something that the engine does not know (with its path), or a parameter is wrong.
            Conflict: the id exists with other labels.
            TryLater: not reachable, quota, disk full.
        """
        ...

    def state(self, run_id: str) -> EngineState:
        """Return the live state. Raises NotFound, TryLater."""
        ...

    def glance(self, installation: str, run_ids: Sequence[str]) -> None:
        """Look at many runs at once, so that the next `state` of one that has not changed takes no call of its own.

        Raises:
            TryLater: not reachable.
        """
        ...

    def cancel(self, run_id: str) -> None:
        """Ask for cancellation; the state tells when it is done; cancelling an ended run changes nothing."""
        ...

    def start(self) -> None:
        """Begin executing submitted runs in this process (a remote engine does nothing)."""
        ...

    def close(self, *, grace_s: float = 5.0) -> None:
        """Stop executing here: steps are ended, claims released; another process (or the next start) resumes."""
        ...

    def verify(self) -> None:
        """Make a real call. Raises TryLater or Rejected with the mend."""
        ...


@dataclass(frozen=True)
class Lease:
    """A claim on a run by one process; writes under it count only while the epoch is the newest."""

    run_id: str
    epoch: int


@dataclass(frozen=True)
class RunFilter:
    """Which runs; None lets every one through."""

    bee: str | None = None
    template: str | None = None
    status: Status | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class CostFilter:
    """Runs of which the cost is asked: asked for in [since, until), of an incident, of a bee; None: every one."""

    since: datetime | None = None
    until: datetime | None = None
    incident: str | None = None
    bee: str | None = None


class ScheduleLedger(Protocol):
    """The ledger's record of schedules, inside one transaction."""

    def last(self, template: str) -> datetime | None:
        """Return the newest occurrence that was taken, or when the template was first seen; None before that."""
        ...

    def take(self, template: str, due: datetime, run_id: str | None) -> bool:
        """Take an occurrence (without a run: only note that the template was seen); False if it was taken before."""
        ...


class RunLedger(Protocol):
    """The ledger's record of runs, inside one transaction."""

    def add(self, run: Run) -> None:
        """Store a new run. Raises Conflict if the id exists, or the bee has a loop run in flight."""
        ...

    def get(self, run_id: str) -> Run | None:
        """Return one run."""
        ...

    def list(
        self, *, bee: str | None = None, template: str | None = None, settled: bool | None = None
    ) -> Sequence[Run]:
        """Return runs, newest first."""
        ...

    def page(self, which: RunFilter, *, before: tuple[datetime, str] | None = None, limit: int) -> Sequence[Run]:
        """Return up to `limit` runs, newest first by (created_at, id), all of them older than `before`."""
        ...

    def in_flight(self, bee: str) -> Run | None:
        """Return the bee's loop run that has not been settled."""
        ...

    def incidents_in_flight(self) -> int:
        """Return how many runs of incidents have not been settled, of all bees."""
        ...

    def past(self, template: str, bee: str | None, *, limit: int) -> Sequence[Past]:
        """Return the newest settled runs of a template whose cost is known, newest first: a bee's, or of all bees."""
        ...

    def newest_window(self, bee: str) -> Window | None:
        """Return the newest data window of a bee's runs of which the size is known."""
        ...

    def costs(self, which: CostFilter) -> Sequence[RunCost]:
        """Return what runs cost, oldest first."""
        ...

    def save(self, run: Run) -> None:
        """Replace a run."""
        ...

    def unsettled(self) -> int:
        """Return how many runs have not been settled."""
        ...

    def claim(self, owner: str, *, limit: int, lease_s: float) -> Sequence[Lease]:
        """Lease runs that have not been settled and that nobody holds, by the database's clock."""
        ...

    def hold(self, lease: Lease) -> Run:
        """Return the run under a lease, its bee and its row locked. Raises LeaseLost."""
        ...

    def release(self, lease: Lease, *, again_after_s: float) -> None:
        """Give a lease back; nobody claims the run again before that many seconds, unless `look_now` asks for it."""
        ...

    def look_now(self, run_id: str) -> bool:
        """Let the run be claimed at once, also if somebody holds it: whoever looks next sees it as it is after this.

        Returns:
            whether there is such a run that has not been settled.
        """
        ...

    def save_steps(self, run_id: str, steps: Sequence[StepState]) -> None:
        """Record the run's step states; what has begun and is named no more stays, what has not begun goes."""
        ...

    def steps(self, run_id: str) -> Sequence[StepState]:
        """Return the run's step states in order."""
        ...


@dataclass(frozen=True)
class Asked:
    """What an Idempotency-Key has asked for: a hash of the request, and the run that it became."""

    fingerprint: str
    run_id: str


class RequestKeys(Protocol):
    """The ledger's record of idempotency keys, inside one transaction."""

    def take(self, key: str, asked: Asked, now: datetime) -> Asked:
        """Keep what a key asks for, and return what it asked for first (`asked` itself if the key is new)."""
        ...

    def forget(self, before: datetime, *, limit: int) -> int:
        """Forget up to `limit` keys that were first used before that time, and return how many."""
        ...

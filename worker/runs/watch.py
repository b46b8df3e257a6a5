"""Watch a submitted run: mirror the engine's states into the ledger, pass a cancellation on."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from worker.bee import duration_text
from worker.engine.state import Status
from worker.errors import NotFound
from worker.ledger import Ledger
from worker.runs.lifecycle import Run, moved
from worker.runs.port import EngineState, Lease, PipelineEngine
from worker.runs.request import tell

log = structlog.get_logger()

#: Begins the reason of a run that was cancelled without anybody's asking for it.
_GIVEN_UP = "cancelled by the worker: "


@dataclass(frozen=True)
class Watcher:
    """Keeps the ledger's view of a run true.

    Attributes:
        longest_stall: so long may an engine have a run without beginning it, or hold it; then it is cancelled, and its
            incident goes on as after any failure. None: for ever.
    """

    ledger: Ledger
    engine: PipelineEngine
    longest_stall: timedelta | None = None

    def watch(self, lease: Lease, run_id: str, *, cancel: bool, now: datetime) -> None:
        """Bring the run's row and its steps up to date.

        Raises:
            LeaseLost: another process took the run over.
            TryLater: engine or ledger are away.
        """
        if cancel:
            self._cancel(run_id)
        state = self._state(run_id)
        stall = self._stall(state, now)
        if stall and not cancel:
            state = self._give_up(lease, run_id, stall)
        with self.ledger.begin() as transaction:
            run = transaction.runs.hold(lease)
            transaction.runs.save_steps(run_id, state.steps)
            if run.status is Status.QUEUED and _has_begun(state):
                run = moved(run, Status.RUNNING, _begun(state, now), error=run.error)
                tell(run, "pipeline.run.started", transaction, now)
            transaction.runs.save(_brought_up(run, state, now))

    def _give_up(self, lease: Lease, run_id: str, why: str) -> EngineState:
        # Why comes first: who finds the run cancelled, after whatever happens here, must know that nobody asked for it.
        with self.ledger.begin() as transaction:
            transaction.runs.save(replace(transaction.runs.hold(lease), error=why))
        log.warning("run is cancelled", run=run_id, reason=why)
        self._cancel(run_id)
        return self._state(run_id)

    def _stall(self, state: EngineState, now: datetime) -> str:
        """Return in words that a run has not moved for too long, else nothing."""
        since, longest = state.stalled_since, self.longest_stall
        if since is None or longest is None or now - since < longest:
            return ""
        held = "was held" if state.error else "waited for a place"
        return f"{_GIVEN_UP}it {held} at the engine for {duration_text(longest)} and more"

    def _cancel(self, run_id: str) -> None:
        try:
            self.engine.cancel(run_id)
        except NotFound:
            # Then `state` says the same, and the run ends as failed with that reason.
            return

    def _state(self, run_id: str) -> EngineState:
        try:
            return self.engine.state(run_id)
        except NotFound:
            return EngineState(Status.FAILED, error=f"the engine does not know the run {run_id} (any more)")


def _has_begun(state: EngineState) -> bool:
    """Whether a run has left the queue; one that was cancelled there never began."""
    if state.status is Status.CANCELLED:
        return any(step.started_at for step in state.steps)
    return state.status not in {Status.PENDING, Status.QUEUED}


def _brought_up(run: Run, state: EngineState, now: datetime) -> Run:
    given_up = run.error if (run.error or "").startswith(_GIVEN_UP) else None
    if not state.status.ended:
        return replace(run, error=given_up or state.error)
    if state.status is Status.CANCELLED and given_up and not run.cancel_requested:
        # Nobody wanted that: to its incident the run failed, and is tried again as the policy says.
        return moved(run, Status.FAILED, now, error=given_up)
    return moved(run, state.status, now, error=state.error)


def _begun(state: EngineState, now: datetime) -> datetime:
    """Return when the first step began: that the run runs is seen some time after, but it begins with its steps."""
    return min([now, *(step.started_at for step in state.steps if step.started_at is not None)])

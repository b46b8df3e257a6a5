"""Watch a submitted run: mirror the engine's states into the ledger, pass a cancellation on."""

from dataclasses import dataclass
from datetime import datetime

from worker.engine.state import Status
from worker.errors import NotFound
from worker.ledger import Ledger
from worker.runs.lifecycle import moved
from worker.runs.port import EngineState, Lease, PipelineEngine
from worker.runs.request import tell


@dataclass(frozen=True)
class Watcher:
    """Keeps the ledger's view of a run true."""

    ledger: Ledger
    engine: PipelineEngine

    def watch(self, lease: Lease, run_id: str, *, cancel: bool, now: datetime) -> None:
        """Bring the run's row and its steps up to date.

        Raises:
            LeaseLost: another process took the run over.
            TryLater: engine or ledger are away.
        """
        if cancel:
            self._cancel(run_id)
        state = self._state(run_id)
        with self.ledger.begin() as transaction:
            run = transaction.runs.hold(lease)
            transaction.runs.save_steps(run_id, state.steps)
            if run.status is Status.QUEUED and state.status not in {Status.PENDING, Status.QUEUED}:
                run = moved(run, Status.RUNNING, _begun(state, now))
                tell(run, "pipeline.run.started", transaction, now)
            if run.status is Status.RUNNING and state.status.ended:
                run = moved(run, state.status, now, error=state.error)
            transaction.runs.save(run)

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


def _begun(state: EngineState, now: datetime) -> datetime:
    """Return when the first step began: that the run runs is seen some time after, but it begins with its steps."""
    return min([now, *(step.started_at for step in state.steps if step.started_at is not None)])

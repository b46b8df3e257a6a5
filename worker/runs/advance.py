"""One turn for every run that has not been settled: claim, launch or watch or settle, release."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from worker.clock import Clock
from worker.engine.state import Status
from worker.errors import ColonyError, LeaseLost, TryLater
from worker.ledger import Ledger
from worker.runs.launch import Launcher
from worker.runs.lifecycle import Run
from worker.runs.port import Lease
from worker.runs.settle import Settler
from worker.runs.watch import Watcher

log = structlog.get_logger()

LEASE_S = 20.0
PARALLEL = 50


@dataclass(frozen=True)
class Advancer:
    """Drives runs from the ledger; any number of processes may do so beside each other.

    Attributes:
        poll_s: how long a run rests between two looks at the engine, in seconds.
        told: hears of each run that was settled here.
        lease_s: how long a run that a dead process had in hand stays out of reach of the others, in seconds.
    """

    ledger: Ledger
    launcher: Launcher
    watcher: Watcher
    settler: Settler
    clock: Clock
    owner: str
    poll_s: float
    told: Callable[[Run], None] = lambda _: None
    lease_s: float = LEASE_S

    def turn(self) -> int:
        """Bring every run that is due one stage further and return how many there were. Raises TryLater."""
        with self.ledger.begin(write=False) as transaction:
            if not transaction.runs.unsettled():
                return 0
        with self.ledger.begin() as transaction:
            leases = transaction.runs.claim(self.owner, limit=PARALLEL, lease_s=self.lease_s)
        for lease in leases:
            self._advance(lease)
        return len(leases)

    def _advance(self, lease: Lease) -> None:
        again_after_s = self.poll_s
        try:
            self._step(lease)
        except LeaseLost as error:
            log.info("lease lost", run=lease.run_id, reason=str(error))
            return
        except TryLater as error:
            log.warning("run waits", run=lease.run_id, reason=str(error))
            again_after_s = 5.0
        except ColonyError as error:
            log.warning("run cannot advance", run=lease.run_id, reason=str(error))
            again_after_s = 30.0
        except Exception:
            # One run that trips over something unforeseen must not keep the others from advancing.
            log.exception("run cannot advance", run=lease.run_id)
            again_after_s = 30.0
        with self.ledger.begin() as transaction:
            transaction.runs.release(lease, again_after_s=again_after_s)

    def _step(self, lease: Lease) -> None:
        run = self._get(lease)
        if run.status is Status.PENDING:
            self.launcher.launch(lease, self.clock())
            run = self._get(lease)
        if run.status in {Status.QUEUED, Status.RUNNING}:
            self.watcher.watch(lease, run.id, cancel=run.cancel_requested, now=self.clock())
            run = self._get(lease)
        if run.status.ended:
            self.settler.settle(lease, run, self.clock())
            run = self._get(lease)
            log.info("run settled", run=run.id, bee=run.bee, status=run.status.value, verdict=run.verdict)
            self.told(run)

    def _get(self, lease: Lease) -> Run:
        with self.ledger.begin() as transaction:
            return transaction.runs.hold(lease)

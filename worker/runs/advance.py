"""One turn for every run that has not been settled: claim, launch or watch or settle, release."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from worker.clock import Clock
from worker.engine.state import Status
from worker.errors import ColonyError, LeaseLost, TryLater
from worker.ledger import Ledger, Transaction
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
        together: whether runs are looked at by the clock, at whole multiples of `poll_s`, so that one look at the
            engine serves all.
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
    together: bool = False
    told: Callable[[Run], None] = lambda _: None
    lease_s: float = LEASE_S

    def turn(self) -> int:
        """Bring every run that is due one stage further and return how many there were. Raises TryLater."""
        with self.ledger.begin(write=False) as transaction:
            if not transaction.runs.unsettled():
                return 0
        with self.ledger.begin() as transaction:
            leases = transaction.runs.claim(self.owner, limit=PARALLEL, lease_s=self.lease_s)
            watched = self._watched(transaction, leases) if self.together else []
        glance = self._glance(watched)
        for lease in leases:
            self._advance(lease, glance if lease.run_id in watched else None)
        return len(leases)

    def _watched(self, transaction: Transaction, leases: Sequence[Lease]) -> list[str]:
        """Return which of the runs the engine has."""
        found = (transaction.runs.get(lease.run_id) for lease in leases)
        return [run.id for run in found if run and run.status in {Status.QUEUED, Status.RUNNING}]

    def _glance(self, run_ids: Sequence[str]) -> ColonyError | None:
        """Look at all runs at once; return what is in the way of looking at any."""
        try:
            if run_ids:
                self.watcher.engine.glance(self.ledger.installation, run_ids)
        except ColonyError as error:
            return error
        return None

    def _advance(self, lease: Lease, obstacle: ColonyError | None) -> None:
        again_after_s: float | None = None
        try:
            self._step(lease, obstacle)
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
            transaction.runs.release(lease, again_after_s=self._rest_s() if again_after_s is None else again_after_s)

    def _step(self, lease: Lease, obstacle: ColonyError | None) -> None:
        if obstacle:
            raise obstacle
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

    def _rest_s(self) -> float:
        return self.poll_s - self.clock().timestamp() % self.poll_s if self.together else self.poll_s

    def _get(self, lease: Lease) -> Run:
        with self.ledger.begin() as transaction:
            return transaction.runs.hold(lease)

"""The loops over runs with engine, configuration and outcomes in memory."""

from dataclasses import dataclass, field

from tests.worker import world
from tests.worker.world import Engine, Freezer, Outcomes
from worker.adapters.ledger.sql import SqlLedger
from worker.engine.state import Status
from worker.runs.advance import Advancer
from worker.runs.launch import Launcher
from worker.runs.lifecycle import Run
from worker.runs.port import Lease
from worker.runs.settle import Settler
from worker.runs.watch import Watcher


@dataclass
class Loop:
    """Everything that drives a run."""

    ledger: SqlLedger
    engine: Engine = field(default_factory=Engine)
    freezer: Freezer = field(default_factory=Freezer)
    outcomes: Outcomes = field(default_factory=Outcomes)

    def advancer(self, owner: str = "one", ledger: SqlLedger | None = None) -> Advancer:
        """Return an advancer, as a process of its own would build it."""
        used = ledger or self.ledger
        return Advancer(
            ledger=used,
            launcher=Launcher(used, self.engine, self.freezer),
            watcher=Watcher(used, self.engine),
            settler=Settler(used, self.outcomes),
            clock=lambda: world.NOW,
            owner=owner,
            poll_s=0,
        )

    def lease(self, *, lease_s: float = 60) -> Lease:
        """Claim the only run there is."""
        with self.ledger.begin() as transaction:
            (lease,) = transaction.runs.claim("test", limit=10, lease_s=lease_s)
        assert isinstance(lease, Lease)
        return lease

    def concluded(self, value: object, *, key: str = "k") -> Run:
        """Take a run from its request to the end with an outcome (`RUN` in it stands for the run's id)."""
        run = world.ask_for_run(self.ledger, key)
        self.advancer().turn()
        self.outcomes.put(run.id, world.outcome(run.id) if value is ... else value)
        self.engine.end(run.id)
        self.advancer().turn()
        return world.get_run(self.ledger, run.id)

    def end(self, run: Run, status: Status = Status.SUCCEEDED, error: str | None = None) -> Run:
        """Let a run end and settle it."""
        self.engine.end(run.id, status, error)
        self.advancer().turn()
        return world.get_run(self.ledger, run.id)

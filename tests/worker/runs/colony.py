"""A colony whose clock a test moves: the real handler, timers, settler and commands over one ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from handlers.commands.operator import Operator
from handlers.events import event_handlers
from handlers.events.context import EventContext
from tests.worker import world
from tests.worker.world import BEE, BEES, NOW, Engine, Freezer, Outcomes, data, message
from worker.adapters.ledger.sql import SqlLedger
from worker.bee import BeeSpec
from worker.decide.policy import Policy
from worker.engine.state import Status
from worker.incidents.approval import Question
from worker.incidents.machine import Incident
from worker.intake.receive import receive
from worker.runs.advance import Advancer
from worker.runs.launch import Launcher
from worker.runs.lifecycle import Run
from worker.runs.settle import Settler
from worker.runs.timers import Timers
from worker.runs.watch import Watcher

HOUR = timedelta(hours=1)


@dataclass
class Colony:
    """One installation; `labels` is how many labels are new at any time (None: nobody knows)."""

    ledger: SqlLedger
    policy: Policy = field(default_factory=Policy)
    bees: Mapping[str, BeeSpec] = field(default_factory=lambda: dict(BEES))
    now: datetime = NOW
    labels: int | None = None
    engine: Engine = field(default_factory=Engine)
    outcomes: Outcomes = field(default_factory=Outcomes)
    sent: int = 0

    def new_labels(self, _bee: BeeSpec, _since: datetime, _until: datetime) -> int | None:
        """Return what the test has set."""
        return self.labels

    def evaluate(self, bee: str = BEE.bee, **changes: Any) -> dict[str, Any]:
        """Send a bad evaluation (or what `changes` make of it) of a window of its own, and return the decision."""
        self.sent += 1
        window = {"id": f"w{self.sent}", "sampleCount": 437, "positiveCount": 90}
        body = data(beeId=bee, evaluatedAt=self.now.isoformat(), **{"window": window, **changes})
        context = EventContext(lambda: self.bees, lambda: self.policy, self.ledger.installation, self.new_labels)
        sent = [message(f"e{self.sent}", body)]
        (item,) = receive(sent, self.ledger, event_handlers(context), lambda _: self.now)
        assert item.result is not None, item.reason
        return dict(item.result)

    def pass_time(self, later: timedelta = timedelta(0)) -> list[Run]:
        """Move the clock, let the timers turn once, and return the runs that began."""
        self.now += later
        timers = Timers(self.ledger, lambda: self.bees, lambda: self.policy, lambda: self.now, self.new_labels)
        before = {run.id for run in self.runs()}
        timers.turn()
        return [run for run in self.runs() if run.id not in before]

    def end_run(self, bee: str = BEE.bee, *, status: Status = Status.SUCCEEDED, **changes: Any) -> Run:
        """Drive the bee's run in flight to its end with an outcome that may be deployed, but for the changes."""
        with self.ledger.begin(write=False) as transaction:
            run = transaction.runs.in_flight(bee)
        assert run is not None
        self._advance()
        self.outcomes.put(run.id, world.outcome(run.id, bee=bee, **changes))
        self.engine.end(run.id, status, None if status is Status.SUCCEEDED else "it broke")
        self._advance()
        return world.get_run(self.ledger, run.id)

    def refuse_run(self, bee: str = BEE.bee) -> Run:
        """Drive the bee's run in flight to its end with a challenger that is no better."""
        return self.end_run(bee, gate=world.gate(lower=-0.1))

    def operator(self, name: str = "ann") -> Operator:
        """Return a person at work now."""
        return Operator(name, self.ledger, self.bees, self.policy, self.now, self.new_labels)

    def incident(self, bee: str = BEE.bee) -> Incident:
        """Return the bee's newest incident."""
        with self.ledger.begin(write=False) as transaction:
            found = transaction.incidents.list(bee)[0]
        assert isinstance(found, Incident)
        return found

    def questions(self) -> list[Question]:
        """Return what people were asked, oldest first."""
        with self.ledger.begin(write=False) as transaction:
            return list(reversed(transaction.approvals.list()))

    def runs(self, bee: str | None = None) -> list[Run]:
        """Return the runs, oldest first."""
        with self.ledger.begin(write=False) as transaction:
            return list(reversed(transaction.runs.list(bee=bee)))

    def champion(self, bee: str = BEE.bee) -> str | None:
        """Return the version in production."""
        with self.ledger.begin(write=False) as transaction:
            found = transaction.models.champion(bee)
        return found.version if found else None

    def events(self, type_: str, bee: str = BEE.bee) -> list[Mapping[str, Any]]:
        """Return the data of the outgoing events of a type, in order."""
        with self.ledger.begin(write=False) as transaction:
            return [event.data for event, _ in transaction.outbox.list(bee=bee) if event.type == type_]

    def _advance(self) -> None:
        freezer = Freezer(self.bees)
        Advancer(
            ledger=self.ledger,
            launcher=Launcher(self.ledger, self.engine, freezer),
            watcher=Watcher(self.ledger, self.engine),
            settler=Settler(self.ledger, self.outcomes, lambda: self.bees, lambda: self.policy),
            clock=lambda: self.now,
            owner="one",
            poll_s=0,
        ).turn()

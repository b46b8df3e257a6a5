"""The real thing to compare a what-if with: handlers, SQL ledger and timers, one message at a time on a virtual clock.

Only what never happens is put in by hand, as the assumptions say: the ends of runs, and time between the events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from handlers.events import event_handlers
from handlers.events.context import EventContext
from tests.worker.world import memory_ledger, version
from worker.adapters.ledger.sql import SqlLedger
from worker.bee import BeeSpec
from worker.cli.event_time import AHEAD, EventTime, told_time
from worker.clock import EPOCH
from worker.decide.course import Ending, ended
from worker.decide.policy import Policy
from worker.engine.state import Status
from worker.errors import Rejected
from worker.incidents.machine import State
from worker.intake.envelope import Event, open_envelope
from worker.intake.port import Message
from worker.intake.receive import Verdict as Kind
from worker.intake.receive import open_message, receive
from worker.models.port import Deployment
from worker.runs.follow import follow, look
from worker.runs.lifecycle import Run, Verdict, concluded, run_id
from worker.runs.request import request_run
from worker.runs.timers import Timers

_SHARED: list[SqlLedger] = []
INSTANT = timedelta(microseconds=1)
_KEPT = {"installation", "alembic_version"}


def emptied_ledger() -> SqlLedger:
    """Return the one ledger in memory of all examples, emptied: bringing up its schema takes longer than an example."""
    if not _SHARED:
        _SHARED.append(memory_ledger())
    with _SHARED[0].database.begin() as connection:
        found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
        for name in found:
            if name not in _KEPT and not name.startswith("sqlite_"):
                connection.exec_driver_sql(f"DELETE FROM {name}")  # noqa: S608 - the schema's own names
    return _SHARED[0]


_VERDICTS = {State.REFUSED: Verdict.REJECTED, State.FAILED: Verdict.FAILED, State.DEPLOYED: Verdict.DEPLOYED}


@dataclass
class Real:
    """A colony whose runs end as assumed; `order` is each bee's versions in the order of their deployment."""

    bees: Mapping[str, BeeSpec]
    policy: Policy
    order: Mapping[str, Sequence[str]]
    outcome: State = State.REFUSED
    lasts: timedelta = timedelta(0)
    cost: Decimal = Decimal(0)
    now: datetime = EPOCH
    ledger: SqlLedger = field(default_factory=emptied_ledger)
    _ends: list[tuple[datetime, str]] = field(default_factory=list)
    _named: dict[str, int] = field(default_factory=dict)
    _ended: bool = False

    def play(self, messages: Sequence[Message], wall: datetime) -> list[Mapping[str, Any]]:
        """Return what is said of each message."""
        self._wall, self._clock = wall, EventTime(lambda: wall)
        context = EventContext(lambda: self.bees, lambda: self.policy, self.ledger.installation)
        self._handlers = event_handlers(context)
        self._timers = Timers(self.ledger, lambda: self.bees, lambda: self.policy, lambda: self.now)
        for bee in self.bees.values():
            self._prepare(bee, wall)
        return [self._take(message) for message in messages]

    def _prepare(self, bee: BeeSpec, wall: datetime) -> None:
        with self.ledger.begin() as transaction:
            for name in self.order.get(bee.bee, ()):
                transaction.models.add(version(name, bee.bee))
            # What a run costs is known from one that was settled before.
            id_ = run_id(bee.pipeline, bee.bee, self.ledger.installation, "before")
            run = Run(id_, bee.pipeline, bee.bee, "manual", "before", wall, wall)
            request_run(run, transaction, wall)
            over = replace(run, status=Status.SUCCEEDED, cost=float(self.cost))
            transaction.runs.save(concluded(over, Verdict.REJECTED, None))

    def _take(self, message: Message) -> Mapping[str, Any]:
        event = _event(message)
        if event is not None and event.type in self._handlers:
            told = told_time(event)
            if told is not None and self.now < told <= self._wall + AHEAD:
                self._until(told - INSTANT)
            self._move_on(event, message)
        (item,) = receive([message], self.ledger, self._handlers, self._brought)
        result = item.result
        if result is None:
            assert item.verdict is Kind.DEAD_LETTER, item.reason
            return {"action": "dead letter", "reason": item.reason, "messageId": message.message_id}
        if result["action"] == "trigger" and self.lasts:
            self._ends.append((self.now + self.lasts, str(result["runId"])))
        elif result["action"] == "trigger":
            self._end(str(result["runId"]))
            self._ended = True
        return result

    def _brought(self, event: Event | None) -> datetime:
        self.now = self._clock(event)
        return self.now

    def _until(self, moment: datetime) -> None:
        """Let time pass until a moment, stopping wherever something is due."""
        idle: list[datetime] = []
        if self._ended:
            # Who waits for a run that ended at once is looked at in that moment, when time leaves it.
            self._run_timers()
        self._ended = False
        while True:
            ends, dues = [at for at, _ in self._ends], self._dues()
            # What is due and still waits (for room) is looked at again when something else happens.
            again = dues != idle or any(at <= self.now for at in ends)
            due = [at for at in (*ends, *dues) if at <= moment and (at > self.now or again)]
            if not due:
                return
            idle = dues
            self.now = max(min(due), self.now)
            for at, run in [one for one in self._ends if one[0] <= self.now]:
                self._ends.remove((at, run))
                self._end(run)
            self._run_timers()

    def _run_timers(self) -> None:
        while begun := self._timers.runs():
            self._ends += [(self.now + self.lasts, run.id) for run in begun]
            if not self.lasts:
                break

    def _dues(self) -> list[datetime]:
        found = []
        with self.ledger.begin(write=False) as transaction:
            for incident in transaction.incidents.unfinished():
                policy = self.policy.of(incident.bee)
                if incident.state is State.DEPLOYED and policy.verify.within is not None:
                    found.append(incident.changed_at + policy.verify.within)
                if incident.waiting is not None and incident.waiting.until is not None:
                    found.append(incident.waiting.until)
                if incident.asked_until is not None and incident.approved <= incident.attempt:
                    found.append(incident.asked_until)
        return found

    def _end(self, id_: str) -> None:
        with self.ledger.begin() as transaction:
            run = transaction.runs.get(id_)
            assert run is not None
            status = Status.FAILED if self.outcome is State.FAILED else Status.SUCCEEDED
            over = replace(run, status=status, ended_at=self.now, error="assumed", cost=float(self.cost))
            transaction.runs.save(concluded(over, _VERDICTS[self.outcome], None))
            before, situation = look(self.bees[run.bee], self.policy, transaction, self.now, whole=True)
            after = ended(before, situation, Ending(self.outcome, f"assumed {self.outcome}", run.id))
            follow(before, after, (), situation, transaction)

    def _move_on(self, event: Event, message: Message) -> None:
        """Put the version that a sound event names into production, if it is a later one of the bee's history."""
        opened = open_message(message, self._handlers, self._brought)
        if opened.error is not None or opened.parsed.evaluated_at > opened.now + self.policy.max_ahead:
            return
        bee, name = str(event.data.get("beeId")), str(event.data.get("modelVersion"))
        order = list(self.order.get(bee, ()))
        if name not in order or order.index(name) <= self._named.get(bee, -1):
            return
        self._named[bee] = order.index(name)
        with self.ledger.begin() as transaction:
            current = transaction.models.champion(bee)
            epoch, previous = (current.epoch, current.version) if current else (0, None)
            transaction.models.deploy(Deployment(bee, epoch + 1, name, previous, self.now, "history", None))


def _event(message: Message) -> Event | None:
    try:
        return open_envelope(message)
    except Rejected:
        return None

"""`replay --dry-run`: what would have been decided, on a ledger in memory that knows only the real version history."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from worker.decide.course import Ending, ended
from worker.decide.policy import Policy
from worker.engine.state import Status
from worker.errors import NotFound
from worker.incidents.machine import State
from worker.intake.consume import Consumer
from worker.intake.envelope import Event
from worker.ledger import Ledger, Transaction
from worker.models.port import Deployment, ModelVersion
from worker.runs.follow import follow, look
from worker.runs.lifecycle import Run, Verdict, concluded
from worker.runs.timers import Timers

_STATES = {"refused": State.REFUSED, "failed": State.FAILED, "deployed": State.DEPLOYED}
_VERDICTS = {"refused": Verdict.REJECTED, "failed": Verdict.FAILED, "deployed": Verdict.DEPLOYED}


def dry_run(app: Any, time_: Any, printer: Any, *, policy: str | None, assume: str) -> None:
    """Put the app's subscription through the intake without touching the real ledger, engine or bus."""
    from config.schema import read_policy
    from handlers.events import event_handlers
    from handlers.events.context import EventContext

    chosen = read_policy(Path(policy)) if policy else app.policy
    ledger: Ledger = app.memory_ledger()
    history = _History(app.version_history())
    handlers = event_handlers(EventContext(lambda: app.bees, lambda: chosen, ledger.installation))

    def now_for(event: Event | None) -> Any:
        history.follow(event, ledger)
        return time_(event)

    timers = Timers(ledger, lambda: app.bees, lambda: chosen, time_.now)
    source = _Kept(app.subscription)
    consumer = Consumer(source, ledger, handlers, now_for)
    while not source.exhausted():
        for message in source.pull(500, 1.0):
            for item in consumer.handle([message]):
                run_id = (item.result or {}).get("runId")
                if run_id and (item.result or {}).get("action") == "trigger":
                    _assume(run_id, ledger, assume, app, chosen, time_.now())
                printer.tell(item)
            for run in timers.runs():
                _assume(run.id, ledger, assume, app, chosen, time_.now())


class _Kept:
    """A subscription that only reads: nothing is acknowledged, no dead letter is written."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def pull(self, limit: int, wait_s: float) -> Any:
        """Read on."""
        return self._inner.pull(limit, wait_s)

    def ack(self, messages: Any) -> None:
        """Leave the source alone."""

    def retry(self, messages: Any) -> None:
        """Put back in memory."""
        self._inner.retry(messages)

    def dead_letter(self, message: Any, reason: str) -> None:
        """The printer tells it; nothing is written."""

    def exhausted(self) -> bool:
        """Tell whether the recording has been read."""
        return bool(self._inner.exhausted())

    def verify(self) -> None:
        """Check the source."""
        self._inner.verify()

    def close(self) -> None:
        """The app closes the source."""


class _History:
    """The real versions, each put into production when the stream first names it, in the order of their deployment."""

    def __init__(self, known: tuple[list[ModelVersion], list[Deployment]]) -> None:
        self._versions = {(version.bee, version.version): version for version in known[0]}
        self._deployed: dict[str, list[str]] = {}
        for deployment in known[1]:
            self._deployed.setdefault(deployment.bee, []).append(deployment.version)
        self._position: dict[str, int] = {}
        self._last: dict[str, tuple[str, str]] = {}

    def follow(self, event: Event | None, ledger: Ledger) -> None:
        """Register what the real ledger has of the bee and version that an event names, and move production on."""
        data = event.data if event else {}
        key = (str(data.get("beeId")), str(data.get("modelVersion")))
        # Most events name what the one before named: then there is nothing to do, and that costs nothing.
        if key not in self._versions or key == self._last.get(key[0]):
            return
        with ledger.begin() as transaction:
            if key[0] not in self._last:
                self._register(key[0], transaction)
            order = self._deployed.get(key[0], [])
            position = order.index(key[1]) if key[1] in order else -1
            if position > self._position.get(key[0], -1):
                self._position[key[0]] = position
                _put(transaction, self._versions[key])
        self._last[key[0]] = key

    def _register(self, bee: str, transaction: Transaction) -> None:
        for version in self._versions.values():
            if version.bee == bee:
                transaction.models.add(version)


def _put(transaction: Transaction, version: ModelVersion) -> None:
    current = transaction.models.champion(version.bee)
    epoch, previous = (current.epoch, current.version) if current else (0, None)
    if previous != version.version:
        deployment = Deployment(version.bee, epoch + 1, version.version, previous, version.created_at, "history", None)
        transaction.models.deploy(deployment)


def _assume(run_id: str, ledger: Ledger, assume: str, app: Any, policy: Policy, now: Any) -> None:
    with ledger.begin() as transaction:
        run: Run | None = transaction.runs.get(run_id)
        if run is None:
            raise NotFound(f"there is no run {run_id}")
        status = Status.FAILED if assume == "failed" else Status.SUCCEEDED
        over = replace(run, status=status, ended_at=now, error="assumed")
        transaction.runs.save(concluded(over, _VERDICTS[assume], None))
        before, situation = look(app.bees[run.bee], policy, transaction, now, whole=True)
        if before.incident is not None and before.incident.id == run.incident_id:
            after = ended(before, situation, Ending(_STATES[assume], f"assumed {assume}", run.id))
            follow(before, after, (), situation, transaction)

"""The policies of a backtest, each with a ledger, models and runs of its own below the data directory."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from worker.backtest.report import Change, Kind
from worker.bee import BeeSpec
from worker.cli.follow import follow
from worker.clock import VirtualClock, to_text
from worker.decide.due import due_at
from worker.errors import Conflict
from worker.models.port import ModelVersion, Predictor
from worker.rollout.machine import Move
from worker.runs.lifecycle import Run, Verdict, run_id
from worker.runs.request import request_run

if TYPE_CHECKING:
    from worker.app import App

_FOLDER = "backtest"
_POLL_S = 0.2
_TOLD = {
    "model.deployed": Kind.DEPLOYED,
    "model.rejected": Kind.REFUSED,
    "model.rolled_back": Kind.ROLLED_BACK,
    "model.rollout.started": Kind.BEGUN,
    "model.rollout.advanced": Kind.ADVANCED,
    "pipeline.run.requested": Kind.RETRAINED,
    "pipeline.run.failed": Kind.FAILED,
    "incident.escalated": Kind.ESCALATED,
}


class ManagedArm:
    """What `worker.backtest.walk` lives through: the real parts on a virtual clock."""

    def __init__(self, arm: "App", clock: VirtualClock, bee: BeeSpec, told: Callable[[str], None]) -> None:
        """`told` hears of each thing that happens."""
        self._app, self._clock, self._bee, self._told = arm, clock, bee, told

    def advance(self, moment: datetime) -> None:
        """Let it be that time."""
        self._clock.advance(moment)

    def due(self) -> datetime | None:
        """Return when a bar lifts, a question expires or a rollout is looked at next."""
        now = self._clock()
        with self._app.ledger.begin(write=False) as transaction:
            incidents = transaction.incidents.unfinished()
        found = [due_at(one, self._app.policy.of(one.bee)) for one in incidents]
        found.append(self._app.verifier.next_due(now))
        return min((due for due in found if due is not None and due > now), default=None)

    def act(self) -> None:
        """Do what is due now; a version that a rollout takes back may be reason to retrain at once."""
        self._timers()
        for looked in self._app.verifier.looks():
            if looked.conclusion.move is not Move.WAIT:
                self._say(f"{looked.after.state.value}: {looked.conclusion.reason}")
        self._timers()

    def _timers(self) -> None:
        while begun := self._app.timers.runs():
            for run in begun:
                self._follow(run.id)

    def _say(self, words: str) -> None:
        self._told(f"{self._clock():%Y-%m-%d %H:%M}  {words}")

    def judge(self, due: datetime, *, last: bool) -> bool:
        """Judge the champion, and hand what was found to the intake."""
        from worker.monitor.event import outgoing
        from worker.monitor.judge import Asked
        from worker.monitor.period import window_at
        from worker.monitor.schedule import champion

        with self._app.ledger.begin(write=False) as transaction:
            version = champion(transaction.models, self._bee.bee)
        if version is None:
            raise Conflict("nothing is in production")
        spec = self._bee.monitor
        asked = Asked(self._bee, version, self._clock(), window_at(due, spec), spec.reference)
        judgement = self._app.monitor.judge(asked)
        if not judgement.complete and not last:
            return False
        concluded = self._app.tell_intake(outgoing(judgement)) or {}
        self._say(f"{concluded.get('action')}: {concluded.get('reason')}")
        if concluded.get("runId"):
            self._follow(concluded["runId"])
        return True

    def _follow(self, run_id: str) -> None:
        run = follow(self._app, run_id, quiet=True)
        reason = run.error or ("" if run.verdict is Verdict.DEPLOYED else (run.outcome or {}).get("reason") or "")
        self._say(f"→ {run.verdict.value if run.verdict else '?'} {reason}".rstrip())


def retrain_all(arm: "App", bee: BeeSpec, moments: Sequence[datetime]) -> list[Run]:
    """Ask for a run at each of these times; none of them has a champion to beat, nor changes one."""
    runs = [
        Run(
            id=run_id(bee.pipeline, bee.bee, arm.ledger.installation, "backtest", to_text(moment)),
            template=bee.pipeline,
            bee=bee.bee,
            trigger="schedule",
            reason="it is time again",
            as_of=moment,
            created_at=moment,
            parameters={"beeId": bee.bee},
            loop=False,
        )
        for moment in moments
    ]
    for run in runs:
        with arm.ledger.begin() as transaction:
            transaction.lock([bee.bee])
            request_run(run, transaction, run.created_at)
    arm.wake_runs()
    return runs


def settled(arm: "App", told: Callable[[int], None]) -> None:
    """Wait until no run is under way; `told` hears how many still are, whenever that has changed."""
    known = -1
    while True:
        with arm.ledger.begin(write=False) as transaction:
            left = transaction.runs.unsettled()
        if left != known:
            told(left)
            known = left
        if not left:
            return
        time.sleep(_POLL_S)


def changes_of(arm: "App", bee: str, since: datetime) -> list[Change]:
    """Return what the colony was told of a bee after a time."""
    with arm.ledger.begin(write=False) as transaction:
        events = [event for event, _ in transaction.outbox.list(bee=bee)]
    return [
        Change(event.time, _TOLD[event.type], event.data.get("version"), str(event.data.get("reason") or ""))
        for event in events
        if event.type in _TOLD and event.time > since
    ]


def spent(arm: "App", bee: str, but: datetime | None = None) -> tuple[float | None, float]:
    """Return what the runs of a bee cost, None where one's is not known, and their CPU seconds.

    Args:
        arm: where they ran.
        bee: whose.
        but: the runs asked for by hand until then are left out: they made the first champion.
    """
    with arm.ledger.begin(write=False) as transaction:
        runs = transaction.runs.list(bee=bee)
    counted = [run for run in runs if but is None or run.trigger != "manual" or run.as_of > but]
    seconds = sum(float(((run.outcome or {}).get("cost") or {}).get("cpuSeconds") or 0.0) for run in counted)
    costs = [run.cost for run in counted]
    return (None if None in costs else round(sum(cost or 0.0 for cost in costs), 6)), seconds


def loader(arm: "App", versions: Mapping[str, ModelVersion]) -> Callable[[str], Predictor]:
    """Return what loads the model of a version by the name that it has in `versions`."""

    def load(name: str) -> Predictor:
        artifact = versions[name].artifact
        return arm.model_format.load(arm.artifacts.fetch(artifact), artifact.sha256)

    return load

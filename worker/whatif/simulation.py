"""One policy over a recording: the courses of all bees in memory, timers and ends of runs at their own times."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import NamedTuple

from worker.bee import BeeSpec
from worker.decide.course import Begin, Course, Effect, Ending, RollBack, Situation, ended, fair_order, ruled, tick
from worker.decide.decision import Decision, History
from worker.decide.due import due_at, waits_for_others
from worker.decide.evaluation import Drift, Evaluation
from worker.decide.finding import FoundFeature, conclude
from worker.decide.memory import ColonyMemory
from worker.decide.policy import Policy
from worker.decide.quick import QuickEvaluation
from worker.decide.rollouts import verified
from worker.incidents.machine import Incident, State
from worker.runs.lifecycle import run_id
from worker.whatif.assumptions import Assumptions, Outcome
from worker.whatif.stream import Item
from worker.whatif.watcher import Watcher


class _Kind(IntEnum):
    """What falls due; of one moment the ends of runs come first, since they free what others wait for."""

    END = 0
    LOOK = 1


@dataclass(slots=True)
class _Bee:
    """One bee under this policy.

    Attributes:
        cost: of one run.
        run: the one in flight.
        due: when its incident is looked at again.
        replaced: the version in whose place an assumed model stands.
    """

    spec: BeeSpec
    policy: Policy
    cost: Decimal
    course: Course = field(default_factory=Course)
    watermarks: dict[str, datetime] = field(default_factory=dict)
    run: str | None = None
    due: datetime | None = None
    replaced: str | None = None

    @property
    def steps(self) -> bool:
        """Whether its versions go into production in steps."""
        return bool(self.spec.rollout.planned)


class Judged(NamedTuple):
    """What a policy says of an item that is neither a dead letter nor a duplicate."""

    decision: Decision
    run_id: str | None
    incident: Incident | None
    course: Course


class Simulation:
    """Takes the items of a recording one after the other; the watcher is told of everything that happens."""

    def __init__(self, policy: Policy, assumptions: Assumptions, watcher: Watcher) -> None:
        """Begin with nothing remembered."""
        self.policy = policy
        self.assumptions = assumptions
        self._watcher = watcher
        self._colony = ColonyMemory()
        self._bees: dict[str, _Bee] = {}
        self._queue: list[tuple[datetime, _Kind, str]] = []
        self._waiting: set[str] = set()
        self._room: set[str] = set()
        self._in_flight = 0

    def reach(self, now: datetime, *, whole: bool = False) -> None:
        """Let everything happen that is due before then, each at its own time; `whole`: what is due then as well.

        What is due in a moment happens when time passes it: every event of that moment goes first, so that none
        depends on the order in which another bee's events come.
        """
        queue = self._queue
        while queue and (queue[0][0] <= now if whole else queue[0][0] < now):
            moment = queue[0][0]
            ends, looks = self._due(moment)
            for name in ends:
                self._end(name, moment)
            ruled = self._answer(looks, moment)
            self._look([*looks, *(self._waiting if ends or ruled else ())], moment)

    def judge(self, item: Item) -> Judged:
        """Return what follows from an evaluation that came for the first time; time has reached it."""
        evaluation, spec = item.evaluation, item.bee
        if evaluation is None or spec is None:
            raise ValueError("a dead letter cannot be judged")
        bee = self._bee(spec)
        taken = self._as_assumed(evaluation, bee, item)
        standing = item.standing
        history = History(
            known=standing.known,
            champion=standing.champion,
            recorded=standing.recorded,
            watermark=bee.watermarks.get(evaluation.version),
            previous=bee.replaced,
        )
        situation = self._situation(bee, item.now)
        found = conclude(taken, history, self._course(bee), situation, item.key)
        run = self._follow(bee, found.course, found.effects, item.now)
        if found.decision.moves_watermark:
            mark = bee.watermarks.get(evaluation.version)
            bee.watermarks[evaluation.version] = max(mark, evaluation.evaluated_at) if mark else evaluation.evaluated_at
        decision = found.decision
        if taken is not evaluation:
            said = f"assumed well after the deployment: {decision.reason}"
            decision = Decision(decision.action, said, decision.rules, decision.moves_watermark)
        if run is not None and self.assumptions.lasts:
            self._ends_later(bee, item.now)
        elif run is not None:
            self._end_at_once(bee, item.now)
        return Judged(decision, run, found.course.incident, found.course)

    @property
    def in_flight(self) -> int:
        """Return how many runs have not ended yet."""
        return self._in_flight

    def _bee(self, spec: BeeSpec) -> _Bee:
        bee = self._bees.get(spec.bee)
        if bee is None:
            bee = self._bees[spec.bee] = _Bee(spec, self.policy.of(spec.bee), self.assumptions.cost_of(spec.bee))
        elif bee.spec is not spec:
            bee.spec = spec
        return bee

    def _course(self, bee: _Bee) -> Course:
        if bee.course.colony is not self._colony:
            bee.course = Course(bee.course.memory, self._colony, bee.course.incident)
        return bee.course

    def _situation(self, bee: _Bee, now: datetime) -> Situation:
        limit = bee.policy.colony.runs
        ahead = self._ahead(bee, now) if limit is not None and self._in_flight < limit and self._room else 0
        estimate, stands = self.assumptions.estimate_of(bee.spec.bee)
        return Situation(bee.spec, bee.policy, now, bee.run, self._in_flight, estimate, ahead, estimated=stands)

    def _ahead(self, bee: _Bee, now: datetime) -> int:
        """Return how many other bees wait for nothing but room and go before this one."""
        name, own = bee.spec.bee, bee.course.incident
        found = (self._bees[other].course.incident for other in self._room if other != name)
        others = [incident for incident in found if incident is not None]
        if own is None or own.waiting is None:
            return len(others)
        order = fair_order([*others, own], now, bee.policy.colony.starving)
        return next((place for place, one in enumerate(order) if one.bee == name), len(others))

    def _as_assumed(self, evaluation: Evaluation, bee: _Bee, item: Item) -> Evaluation:
        """Return the evaluation, or that of the well model which is assumed to be in the version's place."""
        if bee.replaced is None or isinstance(evaluation, FoundFeature):
            return evaluation
        if item.standing.champion != bee.replaced:
            # The recording has moved on to another version: what was assumed in between is over.
            bee.replaced = None
            return evaluation
        if self.assumptions.outcome is not Outcome.RECOVERED or evaluation.version != bee.replaced:
            return evaluation
        evaluation = evaluation.exact if isinstance(evaluation, QuickEvaluation) else evaluation
        known = {**item.standing.recorded, **evaluation.baseline}
        metrics = {name: known.get(name) for name in evaluation.metrics}
        incident, name = bee.course.incident, bee.spec.metric
        if incident is not None and name in metrics:
            metrics[name] = _recovered(metrics[name], incident, bee.spec)
        return replace(evaluation, metrics=metrics, drift=evaluation.drift and Drift(detected=False))

    def _follow(self, bee: _Bee, course: Course, effects: Sequence[Effect], now: datetime) -> str | None:
        """Keep what was concluded, and do what follows as far as it can be assumed."""
        before, incident = bee.course.incident, course.incident
        self._colony = course.colony
        closed = incident is not None and incident.state is State.CLOSED
        bee.course = replace(course, incident=None) if closed else course
        begun = None
        for effect in effects:
            if isinstance(effect, Begin) and incident is not None:
                begun = self._begin(bee, incident, effect, now)
            elif isinstance(effect, RollBack):
                bee.replaced = None
        if incident is not None and incident is not before:
            self._watcher.changed(bee.spec.bee, before, incident, effects, now)
            self._plan(bee, now)
        return begun

    def _begin(self, bee: _Bee, incident: Incident, effect: Begin, now: datetime) -> str:
        spec, installation = bee.spec, self.assumptions.installation
        bee.run = run_id(spec.pipeline, spec.bee, installation, incident.id, str(incident.attempt))
        self._in_flight += 1
        self._watcher.began(spec.bee, bee.run, effect.estimate or Decimal(0), now)
        return bee.run

    def _ends_later(self, bee: _Bee, now: datetime) -> None:
        heapq.heappush(self._queue, (_later(now, self.assumptions.lasts), _Kind.END, bee.spec.bee))

    def _end_at_once(self, bee: _Bee, now: datetime) -> None:
        """End the run that an event has begun; who waits for that is looked at when time goes on."""
        self._end(bee.spec.bee, now)
        for name in self._waiting:
            self._look_at(self._bees[name], now)

    def _look_at(self, bee: _Bee, due: datetime | None) -> None:
        if due != bee.due:
            bee.due = due
            if due is not None:
                heapq.heappush(self._queue, (due, _Kind.LOOK, bee.spec.bee))

    def _end(self, name: str, now: datetime) -> None:
        """End a run as assumed; a deployment that the policy wants approved waits for its person."""
        bee, outcome = self._bees[name], self.assumptions.outcome
        run, bee.run = bee.run or "", None
        self._in_flight -= 1
        approval, deploys = bee.policy.approval, outcome.state is State.DEPLOYED
        ending = Ending(outcome.state, f"assumed {outcome}", run)
        if deploys and approval.asked_for_deployment(bee.cost):
            ending = Ending(State.GATED, "it waits for a person's approval", run, until=now + approval.expires)
        situation = self._situation(bee, now)
        if ending.state is State.DEPLOYED:
            bee.replaced = bee.course.memory.version
            ending = replace(ending, state=State.ROLLOUT) if bee.steps else ending
        course = ended(self._course(bee), situation, ending)
        self._follow(bee, _as_verified(course, situation), (), now)

    def _rule(self, bee: _Bee, now: datetime) -> None:
        """Take silence on a deployment as the policy says."""
        yes = bee.policy.approval.on_expiry == "approve"
        situation, said = self._situation(bee, now), "nobody answered"
        course = ruled(self._course(bee), situation, approve=yes, reason=said, by="silence", staged=bee.steps)
        if yes:
            bee.replaced = bee.course.memory.version
        self._follow(bee, _as_verified(course, situation), (), now)

    def _due(self, moment: datetime) -> tuple[list[str], list[str]]:
        """Take what is due at a moment from the queue: ends of runs, and incidents to look at."""
        ends, looks = [], []
        while self._queue and self._queue[0][0] <= moment:
            at, kind, name = heapq.heappop(self._queue)
            if kind is _Kind.END:
                ends.append(name)
            elif self._bees[name].due == at:
                looks.append(name)
        return ends, looks

    def _incidents(self, names: Iterable[str]) -> list[Incident]:
        found = {name: self._bees[name].course.incident for name in names}
        return sorted((one for one in found.values() if one is not None), key=lambda one: (one.opened_at, one.bee))

    def _answer(self, names: Iterable[str], now: datetime) -> bool:
        """Answer what people were asked about deployments, by their silence; tell whether there was a question."""
        gated = [one for one in self._incidents(names) if one.state is State.GATED]
        for incident in gated:
            self._rule(self._bees[incident.bee], now)
        return bool(gated)

    def _look(self, names: Iterable[str], now: datetime) -> None:
        """Judge incidents again: what was deployed first, then in the fair order over the bees."""
        incidents = self._incidents(names)
        deployed = [one for one in incidents if one.state is State.DEPLOYED]
        for incident in [*deployed, *fair_order(incidents, now, self.policy.colony.starving)]:
            self._tick(self._bees[incident.bee], now)

    def _tick(self, bee: _Bee, now: datetime) -> None:
        incident, limit = bee.course.incident, self.policy.colony.runs
        full = limit is not None and self._in_flight >= limit
        if full and incident is not None and incident.waiting is not None and incident.waiting.room:
            bee.due = None
            return
        before = self._course(bee)
        after, effects = tick(before, self._situation(bee, now))
        if after == before and not effects:
            # Nothing came of it: only what happens next can change that.
            due = due_at(bee.course.incident, bee.policy)
            self._look_at(bee, due if due is not None and due > now else None)
            return
        if self._follow(bee, after, effects, now) is not None:
            self._ends_later(bee, now)

    def _plan(self, bee: _Bee, now: datetime) -> None:
        """Note when the bee's incident is to be looked at again."""
        name, incident = bee.spec.bee, bee.course.incident
        (self._waiting.add if waits_for_others(incident) else self._waiting.discard)(name)
        room = incident is not None and incident.waiting is not None and incident.waiting.room
        (self._room.add if room else self._room.discard)(name)
        due = due_at(incident, bee.policy)
        self._look_at(bee, now if due is not None and due < now else due)


def _recovered(value: Decimal | None, incident: Incident, spec: BeeSpec) -> Decimal | None:
    """Return the metric of a model that is assumed well, and by what the incident remembers, too."""
    bar = incident.baseline
    if value is None or bar is None:
        return value
    return min(value, bar) if spec.lower_is_better else max(value, bar)


def _as_verified(course: Course, situation: Situation) -> Course:
    """Return the course with a rollout that has just begun taken for verified: no recording tells of its versions."""
    incident = course.incident
    if incident is None or incident.state is not State.ROLLOUT:
        return course
    return verified(course, situation, incident.id, "assumed verified: its model went into production in steps")


def _later(now: datetime, lasts: timedelta) -> datetime:
    try:
        return now + lasts
    except OverflowError:
        return datetime.max.replace(tzinfo=now.tzinfo)

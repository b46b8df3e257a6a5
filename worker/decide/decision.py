"""What was concluded from one evaluation: the rules, the vote, the arming, the guards; one action and its sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from worker.clock import to_text
from worker.decide.course import Begin, Course, Effect, Situation, begin_or_wait, due, roll_back
from worker.decide.evaluation import Evaluation, Metrics
from worker.decide.policy import SEVERITIES
from worker.decide.recovery import recovery_of, remembered
from worker.decide.rules import Outcome, RuleResult, rules_of
from worker.decide.signal import Signal, judge, window_key
from worker.frozen import made
from worker.incidents import machine
from worker.incidents.machine import Incident, Newest, State


class Action(StrEnum):
    """The seven conclusions."""

    TRIGGER = "trigger"
    NONE = "none"
    HELD = "held"
    ATTACHED = "attached"
    STALE = "stale"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


@dataclass(frozen=True)
class History:
    """What the ledger knew of the evaluated version.

    Attributes:
        known: whether it is registered.
        champion: the version in production, None before the first.
        previous: the version that the champion replaced.
        recorded: the evaluated version's metrics as recorded at registration.
        watermark: the newest evaluation judged of that version.
        tried: what an evaluation of a version that is live beside the champion adds to what is being tried, in words;
            empty for any other.
    """

    known: bool
    champion: str | None
    recorded: Metrics = field(default_factory=dict)
    watermark: datetime | None = None
    previous: str | None = None
    tried: str = ""


@dataclass(frozen=True)
class Decision:
    """One conclusion; `moves_watermark` tells whether the evaluation was judged at all."""

    action: Action
    reason: str
    rules: tuple[RuleResult, ...]
    moves_watermark: bool = True

    @property
    def bad(self) -> bool:
        """Whether a rule fired."""
        return any(rule.outcome is Outcome.FIRED for rule in self.rules)


class Unsaid(Decision):
    """A decision that nothing follows from, whose sentence is made when somebody reads it."""

    signal: Signal

    @property
    def reason(self) -> str:
        """The sentence."""
        return self.signal.why


class Conclusion(msgspec.Struct, frozen=True, gc=False):
    """A decision with all that follows from it: the bee's course from here on, and what is to be done."""

    decision: Decision
    course: Course
    effects: tuple[Effect, ...] = ()


def decide(evaluation: Evaluation, history: History, course: Course, situation: Situation, key: str) -> Conclusion:
    """Return what follows from one evaluation; it depends on nothing but the arguments.

    `key` is the id of the incident that this evaluation would open.
    """
    course = course.heard(situation.now)
    turned_away = _turned_away(evaluation, history, situation)
    if turned_away:
        return Conclusion(turned_away, course)
    bee, policy = situation.bee, situation.policy
    memory = course.memory.of(evaluation.version)
    rules = rules_of(evaluation, bee, policy, history.recorded, bad_before=memory.bad)
    signal = judge(evaluation, rules, memory, policy.vote, policy.arming)
    course = made(Course, {"memory": signal.memory, "colony": course.colony, "incident": course.incident})
    opened = course.incident is not None and course.incident.state is not State.CLOSED
    if not opened and not signal.bad:
        fields = {"action": Action.NONE, "rules": (*rules, *signal.rules), "signal": signal}
        return Conclusion(made(Unsaid, fields), course)
    asked = _Asked(evaluation, history, situation, rules, signal)
    if opened and course.incident is not None:
        return _in_incident(asked, course, course.incident)
    if not signal.armed:
        return asked.concluded(Action.HELD, f"{signal.why}; not armed yet: {signal.rules[1].why}", course)
    if bee.mode == "observe":
        guard = RuleResult("mode", Outcome.HELD, {"mode": "observe"}, "this bee is only observed (mode: observe)")
        return asked.concluded(
            Action.HELD, f"{signal.why}; would retrain, but the bee's mode is observe", course, guard
        )
    baseline = remembered(evaluation, bee, policy, history.recorded)
    incident = machine.opened(key, bee.bee, evaluation.version, asked.newest, situation.now, baseline=baseline)
    return asked.begin(replace(course, incident=incident), signal.why)


@dataclass(frozen=True)
class _Asked:
    """One evaluation with what its rules and its signal are."""

    evaluation: Evaluation
    history: History
    situation: Situation
    rules: tuple[RuleResult, ...]
    signal: Signal

    @property
    def newest(self) -> Newest:
        """The evaluation as an incident keeps it."""
        bad = True if self.signal.bad else (False if self.signal.good else None)
        value = self.evaluation.metrics.get(self.situation.bee.metric)
        evaluated_at, now = self.evaluation.evaluated_at, self.situation.now
        return Newest(evaluated_at, now, bad, self.signal.why, value, self._severity())

    def _severity(self) -> int:
        """Rank what was found: a metric that fell is as severe as the drift that triggers by itself."""
        severity = self.evaluation.drift.severity if self.evaluation.drift else None
        rank = SEVERITIES.index(severity) if severity in SEVERITIES else 0
        fell = any(rule.outcome is Outcome.FIRED and not rule.name.startswith("drift") for rule in self.rules)
        return max(rank, SEVERITIES.index("high")) if fell else rank

    def concluded(self, action: Action, reason: str, course: Course, *guards: RuleResult) -> Conclusion:
        """Return a conclusion that asks for nothing."""
        return Conclusion(Decision(action, reason, (*self.rules, *self.signal.rules, *guards)), course)

    def begin(self, course: Course, reason: str) -> Conclusion:
        """Begin the incident's next attempt, or let it wait behind what holds it back."""
        course, effects, guards = begin_or_wait(course, self.situation, reason)
        holding = [guard.why for guard in guards if guard.outcome is Outcome.HELD]
        begins = any(isinstance(effect, Begin) for effect in effects)
        action = Action.TRIGGER if begins else Action.HELD
        said = reason if begins else f"{reason}; held back: {'; '.join(holding)}"
        decision = Decision(action, said, (*self.rules, *self.signal.rules, *guards))
        return Conclusion(decision, course, effects)


def _in_incident(asked: _Asked, course: Course, incident: Incident) -> Conclusion:
    """Judge an evaluation of a bee that has an incident: it joins it, heals it, or asks for the next attempt."""
    signal, now = asked.signal, asked.situation.now
    if signal.good:
        return _found_well(asked, course, incident)
    if not signal.bad:
        return asked.concluded(Action.NONE, signal.why, course)
    incident = machine.unwell(machine.attached(incident, asked.newest, now))
    course = course.with_incident(incident)
    if incident.state is State.DEPLOYED:
        return _still_bad(asked, course, incident)
    return _joins(asked, course, incident, signal.why, asks=signal.armed)


def _joins(asked: _Asked, course: Course, incident: Incident, why: str, *, asks: bool) -> Conclusion:
    """Let an incident that waits go on if it may by now, or if it was stopped and is asked (`asks`)."""
    situation = asked.situation
    if incident.state in machine.WAITING and (
        (incident.stopped and asks) or due(incident, situation.policy, situation.now, course.colony)
    ):
        return asked.begin(course, why)
    return asked.concluded(Action.ATTACHED, f"{why}; joins the open incident: {_standing(incident)}", course)


def _found_well(asked: _Asked, course: Course, incident: Incident) -> Conclusion:
    """Judge a model that is well by its own baseline: where the policy asks for more, only the recovered heals."""
    situation, signal = asked.situation, asked.signal
    found = recovery_of(asked.evaluation, situation.bee, situation.policy, incident)
    if found is not None:
        asked = replace(asked, rules=(*asked.rules, found))
    if found is not None and found.outcome is Outcome.UNDEFINED:
        return asked.concluded(Action.NONE, f"{signal.why}; {found.why}", course)
    if found is not None and found.outcome is Outcome.FIRED:
        return _not_recovered(asked, course, incident, found.why)
    needed, key = situation.policy.verify.windows, window_key(asked.evaluation)
    after = machine.well(incident, key, needed, asked.newest, situation.now)
    return asked.concluded(Action.NONE, signal.why, course.with_incident(after))


def _not_recovered(asked: _Asked, course: Course, incident: Incident, why: str) -> Conclusion:
    """Let the next attempt begin as after a deployment that mended nothing; a window asks for one attempt at most."""
    why = f"{asked.signal.why}; {why}"
    newest = replace(asked.newest, bad=True, reason=why)
    incident = machine.unrecovered(incident, newest, asked.situation.now)
    course = course.with_incident(incident)
    asks = not course.memory.windows.has_acted(window_key(asked.evaluation))
    if incident.state is State.DEPLOYED and asks:
        return asked.begin(course, why)
    return _joins(asked, course, incident, why, asks=asks)


def _still_bad(asked: _Asked, course: Course, incident: Incident) -> Conclusion:
    """Judge a bad evaluation of a model that was deployed to end the incident."""
    signal, policy = asked.signal, asked.situation.policy
    if not signal.armed:
        reason = f"{signal.why}; not armed yet: {signal.rules[1].why}"
        return asked.concluded(Action.ATTACHED, reason, course)
    value, before = asked.newest.value, incident.before
    worse = _worse(asked, value, before)
    if worse and policy.verify.roll_back and asked.history.previous is not None:
        reason = f"{signal.why}; {worse}"
        course, effects = roll_back(course, asked.situation, asked.history.previous, reason)
        decision = Decision(Action.ATTACHED, f"{reason}; rolled back to version {asked.history.previous}", ())
        rules = (*asked.rules, *signal.rules)
        return Conclusion(replace(decision, rules=rules), course, effects)
    return asked.begin(course, f"{signal.why}; the deployed model did not mend it")


def _worse(asked: _Asked, value: Decimal | None, before: Decimal | None) -> str:
    """Return in words how the deployed model is worse than what it replaced; empty if it is not, or cannot be told."""
    if value is None or before is None:
        return ""
    lower, margin = asked.situation.bee.lower_is_better, asked.situation.policy.verify.worse_by * abs(before)
    loss = value - before if lower else before - value
    metric = asked.situation.bee.metric
    return f"worse than before the deployment ({metric} {value:.4g} against {before:.4g})" if loss > margin else ""


def _standing(incident: Incident) -> str:
    if incident.state is State.RETRAINING:
        return f"attempt {incident.attempt} is in flight"
    if incident.state is State.ROLLOUT:
        return f"the model of attempt {incident.attempt} is being rolled out"
    if incident.waiting is not None:
        until = to_text(incident.waiting.until) if incident.waiting.until else ""
        when = f" (until {until})" if until and until not in incident.waiting.why else ""
        return f"{incident.state}, {incident.waiting.why}{when}"
    return str(incident.state)


def _turned_away(evaluation: Evaluation, history: History, situation: Situation) -> Decision | None:
    at, now = evaluation.evaluated_at, situation.now
    if at > now + situation.policy.max_ahead:
        inputs = {"evaluatedAt": to_text(at), "now": to_text(now)}
        guard = _guard("event_time", inputs, "it lies in the future")
        reason = f"evaluated at {to_text(at)}, which is ahead of the clock ({to_text(now)}): set the sender's clock"
        return Decision(Action.REFUSED, reason, (guard,), moves_watermark=False)
    if not history.known:
        guard = _guard("known_version", {"version": evaluation.version}, "no such version")
        which = f"version {evaluation.version} of {evaluation.bee}"
        reason = f"{which} is not registered: adopt it, or send its name as `colony models list` shows it"
        return Decision(Action.REFUSED, reason, (guard,), moves_watermark=False)
    if history.champion != evaluation.version and not history.tried:
        versions = {"version": evaluation.version, "champion": history.champion}
        guard = _guard("live_version", versions, "not in production")
        live = history.champion or "none"
        reason = f"version {evaluation.version} is not in production (that is {live}): recorded only"
        return Decision(Action.NONE, reason, (guard,), moves_watermark=False)
    if history.watermark is not None and at < history.watermark:
        inputs = {"evaluatedAt": to_text(at), "newestJudged": to_text(history.watermark)}
        guard = _guard("order", inputs, "older than one already judged")
        reason = f"evaluated at {to_text(at)}, older than the newest judged ({to_text(history.watermark)})"
        return Decision(Action.STALE, reason, (guard,), moves_watermark=False)
    if history.champion != evaluation.version:
        versions = {"version": evaluation.version, "champion": history.champion}
        tried = RuleResult("tried", Outcome.PASSED, versions, f"live beside version {history.champion}")
        said = f"version {evaluation.version} is tried beside version {history.champion}: {history.tried}"
        return Decision(Action.NONE, said, (tried,))
    return None


def _guard(name: str, inputs: Mapping[str, Any], why: str) -> RuleResult:
    return RuleResult(name, Outcome.HELD, inputs, why)

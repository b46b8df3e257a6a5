"""A finding of a feature that a bee reads, as a reason to retrain: one `feature.found` event → a conclusion; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from worker.clock import to_text
from worker.decide.course import Begin, Course, Situation, begin_or_wait, due
from worker.decide.decision import Action, Conclusion, Decision, History, decide
from worker.decide.evaluation import Evaluation, parse_evaluation
from worker.decide.policy import SEVERITIES
from worker.decide.rules import Outcome, RuleResult
from worker.errors import Rejected
from worker.incidents import machine
from worker.incidents.machine import Incident, Newest, State
from worker.monitor.finding import KINDS

#: How an incident that it opens ranks among those of evaluations.
SEVERITY = SEVERITIES.index("medium")
_MOST = 50


@dataclass(frozen=True)
class FoundFeature(Evaluation):
    """What a monitor found wrong with a feature of a bee's model in production; it has neither metrics nor drift."""

    feature: str = ""
    kinds: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What a person reads."""
        return f"{self.feature}: {'; '.join(self.findings) or ', '.join(self.kinds)}"


def parse_found(data: Mapping[str, Any], *, event_time: datetime) -> FoundFeature:
    """Return what was found. Raises Rejected with field and mend."""
    common = {name: data.get(name) for name in ("beeId", "modelVersion", "evaluatedAt", "window")}
    about = parse_evaluation({**common, "metrics": {}}, event_time=event_time)
    name = data.get("feature")
    if not isinstance(name, str) or not 0 < len(name) <= 128 or not name.isprintable():
        raise Rejected("names no feature", field="data.feature", mend="send the feature's name")
    kinds = _texts(data.get("kinds"), "data.kinds")
    if not kinds or not set(kinds) <= set(KINDS):
        raise Rejected("says no kind that is known", field="data.kinds", mend=f"send some of: {', '.join(KINDS)}")
    findings = _texts(data.get("findings") or [], "data.findings")
    fields = {**vars(about), "data": data, "feature": name, "kinds": kinds, "findings": findings}
    return FoundFeature(**fields)


def _texts(value: Any, where: str) -> tuple[str, ...]:
    texts = isinstance(value, list) and all(isinstance(one, str) and len(one) <= 1000 for one in value)
    if not texts or len(value) > _MOST:
        raise Rejected("not a list of short texts", field=where, mend=f"send up to {_MOST} texts")
    return tuple(value)


def conclude(evaluation: Evaluation, history: History, course: Course, situation: Situation, key: str) -> Conclusion:
    """Return what follows from an evaluation, or from what was found of a feature."""
    if isinstance(evaluation, FoundFeature):
        return decide_found(evaluation, history, course, situation, key)
    return decide(evaluation, history, course, situation, key)


def decide_found(found: FoundFeature, history: History, course: Course, situation: Situation, key: str) -> Conclusion:
    """Return what follows from a finding; it moves no watermark and says nothing of the model's own windows.

    `key` is the id of the incident that it would open.
    """
    turned_away = _turned_away(found, history, situation)
    if turned_away:
        return Conclusion(turned_away, course)
    trigger = situation.policy.features.trigger
    kinds = [kind for kind in found.kinds if kind in trigger]
    inputs = {"feature": found.feature, "kinds": list(found.kinds), "trigger": list(trigger)}
    rule = RuleResult("feature", Outcome.FIRED if kinds else Outcome.CLEAR, inputs, found.words)
    if not kinds:
        reason = f"{found.words}; for the policy that is no reason to retrain"
        return Conclusion(_said(Action.NONE, reason, rule), course)
    if situation.bee.mode == "observe":
        mode = RuleResult("mode", Outcome.HELD, {"mode": "observe"}, "this bee is only observed (mode: observe)")
        reason = f"{found.words}; would retrain, but the bee's mode is observe"
        return Conclusion(_said(Action.HELD, reason, rule, mode), course)
    incident = course.incident
    if incident is None or incident.state is State.CLOSED:
        opened = machine.opened(key, found.bee, found.version, _newest(found, None, situation), situation.now)
        return _begin(found, rule, replace(course, incident=opened), situation)
    return _in_incident(found, rule, course, incident, situation)


def _in_incident(
    found: FoundFeature, rule: RuleResult, course: Course, incident: Incident, situation: Situation
) -> Conclusion:
    """Note it in the open incident; one that may go on by now goes on."""
    noted = machine.attached(incident, _newest(found, incident, situation), situation.now)
    course = course.with_incident(noted)
    if noted.state in machine.WAITING and due(noted, situation.policy, situation.now, course.colony):
        return _begin(found, rule, course, situation)
    return Conclusion(_said(Action.ATTACHED, f"{found.words}; joins the open incident ({noted.state})", rule), course)


def _begin(found: FoundFeature, rule: RuleResult, course: Course, situation: Situation) -> Conclusion:
    course, effects, guards = begin_or_wait(course, situation, found.words)
    begins = any(isinstance(effect, Begin) for effect in effects)
    holding = "; ".join(guard.why for guard in guards if guard.outcome is Outcome.HELD)
    reason = found.words if begins else f"{found.words}; held back: {holding}"
    return Conclusion(_said(Action.TRIGGER if begins else Action.HELD, reason, rule, *guards), course, effects)


def _newest(found: FoundFeature, incident: Incident | None, situation: Situation) -> Newest:
    """Return it as an incident keeps it, with the metric that the incident knew before: it has none of its own."""
    before = incident.newest if incident else None
    value, severity = (before.value, max(before.severity, SEVERITY)) if before else (None, SEVERITY)
    return Newest(found.evaluated_at, situation.now, True, found.words, value, severity)  # noqa: FBT003


def _turned_away(found: FoundFeature, history: History, situation: Situation) -> Decision | None:
    at, now = found.evaluated_at, situation.now
    if at > now + situation.policy.max_ahead:
        inputs = {"evaluatedAt": to_text(at), "now": to_text(now)}
        guard = RuleResult("event_time", Outcome.HELD, inputs, "it lies in the future")
        return _said(Action.REFUSED, f"of {to_text(at)}, which is ahead of the clock: set the sender's clock", guard)
    if history.tried:
        guard = RuleResult("tried", Outcome.HELD, {}, history.tried)
        return _said(Action.NONE, f"{found.words}; {history.tried}: recorded only", guard)
    if history.champion != found.version:
        versions = {"version": found.version, "champion": history.champion}
        guard = RuleResult("live_version", Outcome.HELD, versions, "not in production")
        live = history.champion or "none"
        return _said(
            Action.NONE, f"version {found.version} is not in production (that is {live}): recorded only", guard
        )
    return None


def _said(action: Action, reason: str, *rules: RuleResult) -> Decision:
    return Decision(action, reason, rules, moves_watermark=False)

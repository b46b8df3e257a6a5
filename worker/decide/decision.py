"""What was concluded from one evaluation: the rules, then the guards, then one action and the sentence for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from worker.bee import BeeSpec
from worker.clock import to_text
from worker.decide.evaluation import Evaluation
from worker.decide.policy import Policy
from worker.decide.rules import Outcome, RuleResult, drift_severity, performance_drop


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
    """What the ledger knew of the bee when it decided.

    Attributes:
        known: whether the evaluated version is registered.
        champion: the version in production, None before the first.
        recorded: the evaluated version's metrics as recorded at registration.
        watermark: the newest evaluation judged of that version.
        incident: id of the bee's open incident that is being worked on, None if there is none.
        active_run: id of a run of the bee that has not been settled.
    """

    known: bool
    champion: str | None
    recorded: Mapping[str, Decimal | None] = field(default_factory=dict)
    watermark: datetime | None = None
    incident: str | None = None
    active_run: str | None = None


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

    @property
    def good(self) -> bool:
        """Whether there is evidence that the model is well: a rule was clear and none fired.

        Where the event tells the bee's metric, only that is evidence: quiet drift does not heal a bad score.
        """
        drop = next((rule for rule in self.rules if rule.name == "performance_drop"), None)
        if drop is not None and drop.inputs["value"] is not None:
            return drop.outcome is Outcome.CLEAR and not self.bad
        return any(rule.outcome is Outcome.CLEAR for rule in self.rules) and not self.bad


def decide(evaluation: Evaluation, history: History, bee: BeeSpec, policy: Policy, now: datetime) -> Decision:
    """Return the decision for one evaluation; it depends on nothing but the arguments."""
    turned_away = _turned_away(evaluation, history, policy, now)
    if turned_away:
        return turned_away
    rules = (
        performance_drop(evaluation, bee, policy, history.recorded),
        drift_severity(evaluation, policy),
    )
    fired = [rule.why for rule in rules if rule.outcome is Outcome.FIRED]
    if not fired:
        return Decision(Action.NONE, _no_reason(evaluation, rules), rules)
    why = "; ".join(fired)
    if history.incident and history.active_run:
        guard = _guard("incident_open", {"incident": history.incident, "run": history.active_run}, "being retrained")
        reason = f"{why}; joins the open incident, whose run {history.active_run} is in flight"
        return Decision(Action.ATTACHED, reason, (*rules, guard))
    if history.active_run:
        guard = _guard("one_run_per_bee", {"run": history.active_run}, "another run of this bee is in flight")
        return Decision(Action.HELD, f"{why}; held back: run {history.active_run} is in flight", (*rules, guard))
    if bee.mode == "observe":
        guard = _guard("mode", {"mode": "observe"}, "this bee is only observed")
        return Decision(Action.HELD, f"{why}; would retrain, but the bee's mode is observe", (*rules, guard))
    return Decision(Action.TRIGGER, why, rules)


def _turned_away(evaluation: Evaluation, history: History, policy: Policy, now: datetime) -> Decision | None:
    at = evaluation.evaluated_at
    if at > now + policy.max_ahead:
        inputs = {"evaluatedAt": to_text(at), "now": to_text(now)}
        guard = _guard("event_time", inputs, "it lies in the future")
        reason = f"evaluated at {to_text(at)}, which is ahead of the clock ({to_text(now)}): set the sender's clock"
        return Decision(Action.REFUSED, reason, (guard,), moves_watermark=False)
    if not history.known:
        guard = _guard("known_version", {"version": evaluation.version}, "no such version")
        which = f"version {evaluation.version} of {evaluation.bee}"
        reason = f"{which} is not registered: adopt it, or send its name as `colony models list` shows it"
        return Decision(Action.REFUSED, reason, (guard,), moves_watermark=False)
    if history.champion != evaluation.version:
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
    return None


def _no_reason(evaluation: Evaluation, rules: tuple[RuleResult, RuleResult]) -> str:
    told = (bool(evaluation.metrics), evaluation.drift is not None)
    if not any(told):
        told = (True, True)
    return "; ".join(rule.why for rule, is_told in zip(rules, told, strict=True) if is_told)


def _guard(name: str, inputs: Mapping[str, str | None], why: str) -> RuleResult:
    return RuleResult(name, Outcome.HELD, inputs, why)

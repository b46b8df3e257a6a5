"""The rule of the mission and its further clauses: each says fired, clear, between or undefined, and from what."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from worker.bee import BeeSpec
from worker.decide.evaluation import Evaluation, Metrics
from worker.decide.policy import DriftRule, MetricRule, Policy
from worker.metric import lower_is_better

_HUGE = 1000


class Outcome(StrEnum):
    """What a rule concluded, or a guard.

    `between` is neither bad nor well again (hysteresis); `held` is of a guard that stopped what a rule had asked for,
    `passed` of one that let it through, `off` of one that the policy does not use or that does not apply here.
    """

    FIRED = "fired"
    CLEAR = "clear"
    BETWEEN = "between"
    UNDEFINED = "undefined"
    HELD = "held"
    PASSED = "passed"
    OFF = "off"


@dataclass(frozen=True)
class RuleResult:
    """One rule or guard, what it saw, what it concluded, and the sentence a person reads.

    Attributes:
        until: of a guard that held: when it will let through by itself; None if something else must happen first.
    """

    name: str
    outcome: Outcome
    inputs: Mapping[str, Any]
    why: str
    until: datetime | None = None


def rules_of(
    evaluation: Evaluation, bee: BeeSpec, policy: Policy, recorded: Metrics, *, bad_before: bool
) -> tuple[RuleResult, ...]:
    """Return what each rule of the policy says of an evaluation, in the order of the policy.

    `recorded` are the evaluated version's own metrics, the baseline where the event has none. A version that was bad
    when last judged (`bad_before`) is well again only at the clear levels.
    """
    found = [*_of_metric(evaluation, bee, bee.metric, policy.metric, recorded, bad_before=bad_before)]
    for name, rule in policy.metrics.items():
        found += _of_metric(evaluation, bee, name, rule, recorded, bad_before=bad_before)
    found.append(drift_severity(evaluation, policy.drift))
    if policy.drift.score is not None:
        found.append(drift_score(evaluation, policy.drift, policy.drift.score, bad_before=bad_before))
    return tuple(found)


def _of_metric(
    evaluation: Evaluation, bee: BeeSpec, name: str, rule: MetricRule, recorded: Metrics, *, bad_before: bool
) -> Iterator[RuleResult]:
    suffix = "" if name == bee.metric else f":{name}"
    if rule.max_drop is not None:
        found = performance_drop(evaluation, bee, name, rule, recorded, bad_before=bad_before)
        yield replace(found, name=found.name + suffix)
    if rule.floor is not None:
        yield replace(performance_floor(evaluation, bee, name, rule, bad_before=bad_before), name=f"floor{suffix}")


def drift_severity(evaluation: Evaluation, rule: DriftRule) -> RuleResult:
    """Fire on `detected: true` with a severity that the policy names."""
    drift = evaluation.drift
    wanted = rule.severity + (" or worse" if rule.at_least else "")
    inputs = {
        "detected": drift.detected if drift else None,
        "severity": drift.severity if drift else None,
        "threshold": wanted,
    }
    if drift is None or drift.detected is None:
        return RuleResult("drift_severity", Outcome.UNDEFINED, inputs, "the event says nothing about drift")
    if not drift.detected:
        return RuleResult("drift_severity", Outcome.CLEAR, inputs, "no drift detected")
    if rule.severe(drift.severity):
        return RuleResult("drift_severity", Outcome.FIRED, inputs, f"drift with severity {drift.severity}")
    why = f"drift with severity {drift.severity}, the rule asks for {wanted}"
    return RuleResult("drift_severity", Outcome.CLEAR, inputs, why)


def drift_score(evaluation: Evaluation, rule: DriftRule, limit: Decimal, *, bad_before: bool) -> RuleResult:
    """Fire on a drift score above `limit`; well again at `clear_score` or less."""
    score = evaluation.drift.score if evaluation.drift else None
    clear = limit if rule.clear_score is None else rule.clear_score
    inputs = {"score": score, "threshold": limit, "clear": clear}
    if score is None:
        return RuleResult("drift_score", Outcome.UNDEFINED, inputs, "the event has no drift score")
    said = f"drift score {float(score):.4g}"
    if score > limit:
        return RuleResult("drift_score", Outcome.FIRED, inputs, f"{said}, more than {float(limit):.4g}")
    if bad_before and score > clear:
        return RuleResult("drift_score", Outcome.BETWEEN, inputs, f"{said}, not yet down to {float(clear):.4g}")
    return RuleResult("drift_score", Outcome.CLEAR, inputs, f"{said}, within tolerance")


def performance_drop(
    evaluation: Evaluation, bee: BeeSpec, name: str, rule: MetricRule, recorded: Metrics, *, bad_before: bool
) -> RuleResult:
    """Fire when a metric is worse than its baseline by more than `max_drop` of the baseline.

    Exact arithmetic on the numbers as the event spells them: a drop of exactly the threshold does not fire.
    """
    value, limit = evaluation.metrics.get(name), rule.max_drop or Decimal(0)
    baseline, origin = evaluation.baseline.get(name), "event"
    if baseline is None:
        baseline, origin = recorded.get(name), "the version's recorded evaluation"
    inputs: dict[str, Any] = {
        "metric": name,
        "value": value,
        "baseline": baseline,
        "baselineFrom": origin if baseline is not None else None,
        "threshold": limit,
        "sampleCount": evaluation.sample_count,
        "positiveCount": evaluation.positive_count,
        "drop": None,
    }
    missing = _no_evidence(evaluation, bee, name, value) or _no_baseline(name, baseline)
    if missing or value is None or baseline is None:
        return RuleResult("performance_drop", Outcome.UNDEFINED, inputs, missing or "undefined")
    drop = relative_drop(value, baseline, lower_is_better=_lower(bee, name, rule))
    inputs["drop"] = round(_float(drop), 6)
    better, worse = f"{name} {float(value):.4g} against {float(baseline):.4g}", percent(drop)
    if drop > Fraction(limit):
        why = f"{better}: {worse} worse, more than {percent(Fraction(limit))}"
        return RuleResult("performance_drop", Outcome.FIRED, inputs, why)
    if bad_before and rule.clear_drop is not None and drop > Fraction(rule.clear_drop):
        inputs["clear"] = rule.clear_drop
        why = f"{better}: {worse} worse, well again only at {percent(Fraction(rule.clear_drop))} or less"
        return RuleResult("performance_drop", Outcome.BETWEEN, inputs, why)
    words = f"{worse} worse, within tolerance" if drop > 0 else f"{percent(-drop)} better" if drop < 0 else "the same"
    return RuleResult("performance_drop", Outcome.CLEAR, inputs, f"{better}: {words}")


def performance_floor(
    evaluation: Evaluation, bee: BeeSpec, name: str, rule: MetricRule, *, bad_before: bool
) -> RuleResult:
    """Fire when a metric is beyond an absolute level, whatever its baseline; exactly on it does not fire."""
    value, floor = evaluation.metrics.get(name), rule.floor or Decimal(0)
    clear = floor if rule.clear_floor is None else rule.clear_floor
    inputs: dict[str, Any] = {
        "metric": name,
        "value": value,
        "threshold": floor,
        "clear": clear,
        "sampleCount": evaluation.sample_count,
        "positiveCount": evaluation.positive_count,
    }
    missing = _no_evidence(evaluation, bee, name, value)
    if missing or value is None:
        return RuleResult("floor", Outcome.UNDEFINED, inputs, missing or "undefined")
    lower = _lower(bee, name, rule)
    side = "above" if lower else "below"
    said = f"{name} {float(value):.4g}"
    if value > floor if lower else value < floor:
        return RuleResult("floor", Outcome.FIRED, inputs, f"{said} is {side} {float(floor):.4g}")
    if bad_before and (value > clear if lower else value < clear):
        return RuleResult("floor", Outcome.BETWEEN, inputs, f"{said}, well again only at {float(clear):.4g}")
    return RuleResult("floor", Outcome.CLEAR, inputs, f"{said} is not {side} {float(floor):.4g}")


def _lower(bee: BeeSpec, name: str, rule: MetricRule) -> bool:
    return bee.lower_is_better if name == bee.metric else lower_is_better(name, rule.direction)


def relative_drop(value: Decimal, baseline: Decimal, *, lower_is_better: bool) -> Fraction:
    """Return (baseline − value) / |baseline|, negated where lower is better; `baseline` is not 0."""
    drop = (Fraction(baseline) - Fraction(value)) / abs(Fraction(baseline))
    return -drop if lower_is_better else drop


def percent(share: Fraction) -> str:
    """Return a share as a person reads it, rounded to a tenth of a percent."""
    return f"{_float(share):.1%}" if abs(share) < _HUGE else f"{_float(share):.3g} times"


def _float(share: Fraction) -> float:
    """Return the nearest finite number: 1e308 against a baseline of 1e-300 has a drop that no float holds."""
    try:
        return float(share)
    except OverflowError:
        return sys.float_info.max if share > 0 else -sys.float_info.max


def _no_evidence(evaluation: Evaluation, bee: BeeSpec, name: str, value: Decimal | None) -> str | None:
    if value is None:
        return f"{name} is undefined or missing: no evidence of a drop"
    samples, positives = evaluation.sample_count, evaluation.positive_count
    if samples is not None and samples < bee.evidence.min_samples:
        return f"{samples} samples, fewer than {bee.evidence.min_samples}: no evidence"
    if bee.task != "regression" and positives is not None and positives < bee.evidence.min_positives:
        return f"{positives} positives, fewer than {bee.evidence.min_positives}: no evidence"
    return None


def _no_baseline(name: str, baseline: Decimal | None) -> str | None:
    if baseline is None:
        return f"there is no baseline for {name}: no evidence of a drop"
    if baseline == 0:
        return f"the baseline of {name} is 0: a relative drop is undefined"
    return None

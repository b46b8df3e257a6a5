"""The rule of the mission, one function per clause: each says fired, clear or undefined, and from what."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from worker.bee import BeeSpec
from worker.decide.evaluation import Evaluation
from worker.decide.policy import Policy

_HUGE = 1000


class Outcome(StrEnum):
    """What a rule concluded; `held` is of a guard that stopped what a rule had asked for."""

    FIRED = "fired"
    CLEAR = "clear"
    UNDEFINED = "undefined"
    HELD = "held"


@dataclass(frozen=True)
class RuleResult:
    """One rule, what it saw, what it concluded, and the sentence a person reads."""

    name: str
    outcome: Outcome
    inputs: Mapping[str, Any]
    why: str


def drift_severity(evaluation: Evaluation, policy: Policy) -> RuleResult:
    """Fire on `detected: true` with a severity that the policy names."""
    drift = evaluation.drift
    wanted = policy.drift_severity + (" or worse" if policy.drift_at_least else "")
    inputs = {
        "detected": drift.detected if drift else None,
        "severity": drift.severity if drift else None,
        "threshold": wanted,
    }
    if drift is None or drift.detected is None:
        return RuleResult("drift_severity", Outcome.UNDEFINED, inputs, "the event says nothing about drift")
    if not drift.detected:
        return RuleResult("drift_severity", Outcome.CLEAR, inputs, "no drift detected")
    if policy.severe(drift.severity):
        return RuleResult("drift_severity", Outcome.FIRED, inputs, f"drift with severity {drift.severity}")
    why = f"drift with severity {drift.severity}, the rule asks for {wanted}"
    return RuleResult("drift_severity", Outcome.CLEAR, inputs, why)


def performance_drop(
    evaluation: Evaluation, bee: BeeSpec, policy: Policy, champion: Mapping[str, Decimal | None]
) -> RuleResult:
    """Fire when the bee's metric is worse than its baseline by more than `policy.max_drop` of the baseline.

    Exact arithmetic on the numbers as the event spells them: a drop of exactly the threshold does not fire.
    `champion` is the recorded evaluation of that version, the baseline where the event has none.
    """
    name = bee.metric
    value = evaluation.metrics.get(name)
    baseline, origin = evaluation.baseline.get(name), "event"
    if baseline is None:
        baseline, origin = champion.get(name), "the version's recorded evaluation"
    inputs: dict[str, Any] = {
        "metric": name,
        "value": value,
        "baseline": baseline,
        "baselineFrom": origin if baseline is not None else None,
        "threshold": policy.max_drop,
        "sampleCount": evaluation.sample_count,
        "positiveCount": evaluation.positive_count,
        "drop": None,
    }
    missing = _no_evidence(evaluation, bee, value, baseline)
    if missing or value is None or baseline is None:
        return RuleResult("performance_drop", Outcome.UNDEFINED, inputs, missing or "undefined")
    drop = relative_drop(value, baseline, lower_is_better=bee.lower_is_better)
    inputs["drop"] = round(_float(drop), 6)
    better, worse = f"{name} {float(value):.4g} against {float(baseline):.4g}", percent(drop)
    if drop > Fraction(policy.max_drop):
        why = f"{better}: {worse} worse, more than {percent(Fraction(policy.max_drop))}"
        return RuleResult("performance_drop", Outcome.FIRED, inputs, why)
    words = f"{worse} worse, within tolerance" if drop > 0 else f"{percent(-drop)} better" if drop < 0 else "the same"
    return RuleResult("performance_drop", Outcome.CLEAR, inputs, f"{better}: {words}")


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


def _no_evidence(evaluation: Evaluation, bee: BeeSpec, value: Decimal | None, baseline: Decimal | None) -> str | None:
    if value is None:
        return f"{bee.metric} is undefined or missing: no evidence of a drop"
    if baseline is None:
        return f"there is no baseline for {bee.metric}: no evidence of a drop"
    if baseline == 0:
        return f"the baseline of {bee.metric} is 0: a relative drop is undefined"
    samples, positives = evaluation.sample_count, evaluation.positive_count
    if samples is not None and samples < bee.evidence.min_samples:
        return f"{samples} samples, fewer than {bee.evidence.min_samples}: no evidence"
    if bee.task != "regression" and positives is not None and positives < bee.evidence.min_positives:
        return f"{positives} positives, fewer than {bee.evidence.min_positives}: no evidence"
    return None

"""The rule of the mission and its further clauses: each says fired, clear, between or undefined, and from what."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Any

import msgspec

from worker.bee import BeeSpec
from worker.decide.evaluation import Evaluation, Metrics
from worker.decide.policy import DriftRule, MetricRule, Policy
from worker.decide.quick import QuickEvaluation
from worker.frozen import made
from worker.metric import lower_is_better

_HUGE = 1000
#: Floats are off by less than 1e-13 where a drop is below 100; nearer to a threshold than 1e-9 the digits decide.
_NEAR, _FAR, _TINY, _ROUNDING = 1e-9, 100.0, 1e-290, 1e-6
_PLAIN = frozenset({str, float, int, bool, type(None)})
Number = Decimal | float
Tell = Callable[..., tuple[Mapping[str, Any], str]]
Share = Fraction | float


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


#: By these names they are found at once; by the class's it is a search.
FIRED, CLEAR, BETWEEN, UNDEFINED, HELD, PASSED, OFF = Outcome


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


class Told(RuleResult):
    """A rule's word whose inputs and sentence are made when somebody reads them: the outcome alone decides."""

    tell: Tell
    of: tuple[Any, ...]

    @property
    def parts(self) -> tuple[Mapping[str, Any], str]:
        """The inputs, in JSON's own types, and the sentence."""
        values = self.__dict__
        found: tuple[Mapping[str, Any], str] | None = values.get("_parts")
        if found is None:
            found = values["_parts"] = self.tell(*self.of)
        return found

    @property
    def inputs(self) -> Mapping[str, Any]:
        """What it saw, in JSON's own types."""
        return self.parts[0]

    @property
    def why(self) -> str:
        """The sentence a person reads."""
        return self.parts[1]

    def __eq__(self, other: object) -> bool:
        """Compare what is told."""
        if not isinstance(other, RuleResult):
            return NotImplemented
        return _parts(self) == _parts(other)

    __hash__ = None  # type: ignore[assignment]


def told(name: str, outcome: Outcome, tell: Tell, of: tuple[Any, ...]) -> RuleResult:
    """Return a rule's word; `tell` returns its inputs, in JSON's own types, and its sentence, from `of`."""
    return made(Told, {"name": name, "outcome": outcome, "tell": tell, "of": of})


def _parts(rule: RuleResult) -> tuple[object, ...]:
    return rule.name, rule.outcome, rule.inputs, rule.why, rule.until


def rules_of(
    evaluation: Evaluation, bee: BeeSpec, policy: Policy, recorded: Metrics, *, bad_before: bool
) -> tuple[RuleResult, ...]:
    """Return what each rule of the policy says of an evaluation, in the order of the policy.

    `recorded` are the evaluated version's own metrics, the baseline where the event has none. A version that was bad
    when last judged (`bad_before`) is well again only at the clear levels.
    """
    own, drift = policy.metric, policy.drift
    if not policy.metrics and own.floor is None and drift.score is None:
        # The mission's rule alone, as most policies have it.
        quick = quick_drop(evaluation, bee, bee.metric, own, recorded, bad_before=bad_before)
        if quick is not None:
            return quick, drift_severity(evaluation, drift)
    found = _of_metric(evaluation, bee, bee.metric, own, recorded, bad_before=bad_before)
    for name, rule in policy.metrics.items():
        found += _of_metric(evaluation, bee, name, rule, recorded, bad_before=bad_before)
    found.append(drift_severity(evaluation, drift))
    if drift.score is not None:
        found.append(drift_score(evaluation, drift, drift.score, bad_before=bad_before))
    return tuple(found)


def _of_metric(
    evaluation: Evaluation, bee: BeeSpec, name: str, rule: MetricRule, recorded: Metrics, *, bad_before: bool
) -> list[RuleResult]:
    found = []
    if rule.max_drop is not None:
        quick = quick_drop(evaluation, bee, name, rule, recorded, bad_before=bad_before)
        found = [quick or performance_drop(evaluation, bee, name, rule, recorded, bad_before=bad_before)]
    if rule.floor is not None:
        found.append(performance_floor(evaluation, bee, name, rule, bad_before=bad_before))
    return found if name == bee.metric else [_of(name, one) for one in found]


def _of(metric: str, rule: RuleResult) -> RuleResult:
    """Return a rule's word under the name that tells its metric."""
    name = f"{rule.name}:{metric}"
    if isinstance(rule, Told):
        return told(name, rule.outcome, rule.tell, rule.of)
    return RuleResult(name, rule.outcome, rule.inputs, rule.why, rule.until)


def drift_severity(evaluation: Evaluation, rule: DriftRule) -> RuleResult:
    """Fire on `detected: true` with a severity that the policy names."""
    drift = evaluation.said if isinstance(evaluation, QuickEvaluation) else evaluation.drift
    if drift is None or drift.detected is None:
        outcome = UNDEFINED
    else:
        outcome = FIRED if drift.detected and rule.severe(drift.severity) else CLEAR
    return told("drift_severity", outcome, _severity, (drift, rule, outcome))


def _severity(drift: Any, rule: DriftRule, outcome: Outcome) -> tuple[Mapping[str, Any], str]:
    detected, severity = (drift.detected, drift.severity) if drift else (None, None)
    wanted = rule.severity + (" or worse" if rule.at_least else "")
    inputs = {"detected": detected, "severity": severity, "threshold": wanted}
    if outcome is UNDEFINED:
        return inputs, "the event says nothing about drift"
    if not detected:
        return inputs, "no drift detected"
    said = f"drift with severity {severity}"
    return inputs, said if outcome is FIRED else f"{said}, the rule asks for {wanted}"


def drift_score(evaluation: Evaluation, rule: DriftRule, limit: Decimal, *, bad_before: bool) -> RuleResult:
    """Fire on a drift score above `limit`; well again at `clear_score` or less."""
    clear = limit if rule.clear_score is None else rule.clear_score
    said = evaluation.said if isinstance(evaluation, QuickEvaluation) else None
    score: Number | None = said.score + 0.0 if said and said.score is not None else None
    if score is None or _near(score, limit, clear):
        score = evaluation.drift.score if evaluation.drift else None
    inputs = {"score": score, "threshold": limit, "clear": clear}
    if score is None:
        return RuleResult("drift_score", UNDEFINED, inputs, "the event has no drift score")
    words = f"drift score {float(score):.4g}"
    if score > limit:
        return RuleResult("drift_score", FIRED, inputs, f"{words}, more than {float(limit):.4g}")
    if bad_before and score > clear:
        return RuleResult("drift_score", BETWEEN, inputs, f"{words}, not yet down to {float(clear):.4g}")
    return RuleResult("drift_score", CLEAR, inputs, f"{words}, within tolerance")


def performance_drop(
    evaluation: Evaluation, bee: BeeSpec, name: str, rule: MetricRule, recorded: Metrics, *, bad_before: bool
) -> RuleResult:
    """Fire when a metric is worse than its baseline by more than `max_drop` of the baseline.

    Exact arithmetic on the numbers as the event spells them: a drop of exactly the threshold does not fire.
    """
    value, baseline = evaluation.metrics.get(name), evaluation.baseline.get(name)
    seen = _seen(evaluation, name, rule, value, baseline, recorded)
    missing = seen.no_drop(bee)
    if missing or value is None or seen.baseline is None:
        return RuleResult("performance_drop", UNDEFINED, seen.inputs(None), missing or "undefined")
    drop = relative_drop(value, Decimal(seen.baseline), lower_is_better=_lower(bee, name, rule))
    clear = None if rule.clear_drop is None else Fraction(rule.clear_drop)
    outcome = _outcome(drop, Fraction(rule.max_drop or 0), clear, bad_before=bad_before)
    return RuleResult("performance_drop", outcome, seen.inputs(drop, outcome), seen.words(drop, outcome))


def quick_drop(
    evaluation: Evaluation, bee: BeeSpec, name: str, rule: MetricRule, recorded: Metrics, *, bad_before: bool
) -> RuleResult | None:
    """Return what `performance_drop` does, from floats; None where their error could make it come out otherwise."""
    if not isinstance(evaluation, QuickEvaluation) or rule.max_drop is None:
        return None
    value, baseline = evaluation.values.get(name), evaluation.baselines.get(name)
    if value is None or baseline is None or not evaluation.enough(bee):
        seen = _seen(evaluation, name, rule, evaluation.value(name), evaluation.base(name), recorded)
        missing = seen.no_drop(bee)
        # A tiny baseline may be 0 only as a float.
        if missing and (value is None or baseline is None or baseline != 0):
            return RuleResult("performance_drop", UNDEFINED, seen.inputs(None), missing)
        baseline = float(seen.baseline or 0)
    size = abs(baseline)
    if value is None or size < _TINY:
        return None
    falls = _falls(name, bee.metric_direction if name == bee.metric else rule.direction)
    drop = (value - baseline if falls else baseline - value) / size
    limit, clear = rule.levels
    if not _NEAR < abs(drop) < _FAR or -_NEAR < drop - limit < _NEAR:
        return None
    if clear is not None and -_NEAR < drop - clear < _NEAR:
        return None
    outcome = _outcome(drop, limit, clear, bad_before=bad_before)
    return told("performance_drop", outcome, _tell, (evaluation, bee, name, rule, recorded, drop, outcome))


def _tell(  # noqa: PLR0913, PLR0917 - all that the exact way takes, and what the quick one found
    evaluation: QuickEvaluation,
    bee: BeeSpec,
    name: str,
    rule: MetricRule,
    recorded: Metrics,
    drop: float,
    outcome: Outcome,
) -> tuple[Mapping[str, Any], str]:
    """Return inputs and sentence of a drop; by exact arithmetic where a float could be rounded to another digit."""
    if abs(drop * 1e3 % 1 - 0.5) < _ROUNDING or abs(drop * 1e6 % 1 - 0.5) < _ROUNDING:
        bad_before = outcome is BETWEEN
        found = performance_drop(evaluation.exact, bee, name, rule, recorded, bad_before=bad_before)
        return plain(found.inputs), found.why
    seen = _seen(evaluation, name, rule, evaluation.value(name), evaluation.base(name), recorded)
    return plain({**seen.inputs(drop, outcome), "threshold": rule.levels[0]}), seen.words(drop, outcome)


def _outcome(drop: Share, limit: Share, clear: Share | None, *, bad_before: bool) -> Outcome:
    if drop > limit:
        return FIRED
    return BETWEEN if bad_before and clear is not None and drop > clear else CLEAR


def plain(value: Any) -> Any:
    """Return a value in JSON's own types, numbers as floats where they are not whole already."""
    if value.__class__ in _PLAIN:
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    # Most often there is nothing to do, and the same mapping will do.
    if _PLAIN.issuperset(map(type, value.values())):
        return value
    return {key: plain(item) for key, item in value.items()}


def _seen(
    evaluation: Evaluation,
    name: str,
    rule: MetricRule,
    value: Number | None,
    baseline: Number | None,
    recorded: Metrics,
) -> "_Seen":
    """Return what a rule of a drop looks at: the event's baseline, or else the version's own."""
    if baseline is not None:
        return _Seen(evaluation, name, rule, value, baseline, "event")
    return _Seen(evaluation, name, rule, value, recorded.get(name), "the version's recorded evaluation")


class _Seen(msgspec.Struct, frozen=True, gc=False):
    """What a rule of a drop looks at, and how it is told."""

    evaluation: Evaluation
    name: str
    rule: MetricRule
    value: Number | None
    baseline: Number | None
    origin: str

    def no_drop(self, bee: BeeSpec) -> str | None:
        """Return why there is no evidence, if there is none."""
        missing = self.value is None
        return _no_evidence(self.evaluation, bee, self.name, missing=missing) or _no_baseline(self.name, self.baseline)

    def inputs(self, drop: Share | None, outcome: Outcome = UNDEFINED) -> dict[str, Any]:
        """Return what the rule saw."""
        inputs = {
            "metric": self.name,
            "value": self.value,
            "baseline": self.baseline,
            "baselineFrom": self.origin if self.baseline is not None else None,
            "threshold": self.rule.max_drop or Decimal(0),
            "sampleCount": self.evaluation.sample_count,
            "positiveCount": self.evaluation.positive_count,
            "drop": None if drop is None else round(_float(drop), 6),
        }
        return {**inputs, "clear": self.rule.clear_drop} if outcome is BETWEEN else inputs

    def words(self, drop: Share, outcome: Outcome) -> str:
        """Return the sentence."""
        better, worse = f"{self.name} {_shown(self.value)} against {_shown(self.baseline)}", percent(drop)
        if outcome is FIRED:
            return f"{better}: {worse} worse, more than {percent(Fraction(self.rule.max_drop or 0))}"
        if outcome is BETWEEN:
            clear = percent(Fraction(self.rule.clear_drop or 0))
            return f"{better}: {worse} worse, well again only at {clear} or less"
        if drop > 0:
            return f"{better}: {worse} worse, within tolerance"
        return f"{better}: {percent(-drop)} better" if drop < 0 else f"{better}: the same"


def performance_floor(
    evaluation: Evaluation, bee: BeeSpec, name: str, rule: MetricRule, *, bad_before: bool
) -> RuleResult:
    """Fire when a metric is beyond an absolute level, whatever its baseline; exactly on it does not fire."""
    floor = rule.floor or Decimal(0)
    clear = floor if rule.clear_floor is None else rule.clear_floor
    quick = evaluation.value(name) if isinstance(evaluation, QuickEvaluation) else None
    value = evaluation.metrics.get(name) if quick is None or _near(quick, floor, clear) else quick
    inputs: dict[str, Any] = {
        "metric": name,
        "value": value,
        "threshold": floor,
        "clear": clear,
        "sampleCount": evaluation.sample_count,
        "positiveCount": evaluation.positive_count,
    }
    missing = _no_evidence(evaluation, bee, name, missing=value is None)
    if missing or value is None:
        return RuleResult("floor", UNDEFINED, inputs, missing or "undefined")
    lower = _lower(bee, name, rule)
    side = "above" if lower else "below"
    said = f"{name} {float(value):.4g}"
    if value > floor if lower else value < floor:
        return RuleResult("floor", FIRED, inputs, f"{said} is {side} {float(floor):.4g}")
    if bad_before and (value > clear if lower else value < clear):
        return RuleResult("floor", BETWEEN, inputs, f"{said}, well again only at {float(clear):.4g}")
    return RuleResult("floor", CLEAR, inputs, f"{said} is not {side} {float(floor):.4g}")


def _shown(value: Number | None) -> str:
    return "nothing" if value is None else f"{float(value):.4g}"


def _near(value: Number, *levels: Decimal) -> bool:
    """Tell whether a float is so near to a level that the digits it was made of decide."""
    return any(abs(float(value) - float(level)) <= _NEAR * (1 + abs(float(level))) for level in levels)


def _lower(bee: BeeSpec, name: str, rule: MetricRule) -> bool:
    return bee.lower_is_better if name == bee.metric else lower_is_better(name, rule.direction)


_falls = lru_cache(1024)(lower_is_better)


def relative_drop(value: Decimal, baseline: Decimal, *, lower_is_better: bool) -> Fraction:
    """Return (baseline − value) / |baseline|, negated where lower is better; `baseline` is not 0."""
    drop = (Fraction(baseline) - Fraction(value)) / abs(Fraction(baseline))
    return -drop if lower_is_better else drop


def percent(share: Share) -> str:
    """Return a share as a person reads it, rounded to a tenth of a percent."""
    return f"{_float(share):.1%}" if -_HUGE < share < _HUGE else f"{_float(share):.3g} times"


def _float(share: Share) -> float:
    """Return the nearest finite number: 1e308 against a baseline of 1e-300 has a drop that no float holds."""
    try:
        return float(share)
    except OverflowError:
        return sys.float_info.max if share > 0 else -sys.float_info.max


def _no_evidence(evaluation: Evaluation, bee: BeeSpec, name: str, *, missing: bool) -> str | None:
    if missing:
        return f"{name} is undefined or missing: no evidence of a drop"
    samples, positives = evaluation.sample_count, evaluation.positive_count
    if samples is not None and samples < bee.evidence.min_samples:
        return f"{samples} samples, fewer than {bee.evidence.min_samples}: no evidence"
    if bee.task != "regression" and positives is not None and positives < bee.evidence.min_positives:
        return f"{positives} positives, fewer than {bee.evidence.min_positives}: no evidence"
    return None


def _no_baseline(name: str, baseline: Number | None) -> str | None:
    if baseline is None:
        return f"there is no baseline for {name}: no evidence of a drop"
    if baseline == 0:
        return f"the baseline of {name} is 0: a relative drop is undefined"
    return None

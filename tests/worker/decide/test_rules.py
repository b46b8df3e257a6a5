from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.worker.world import BEE, NOW
from worker.bee import BeeSpec, Evidence
from worker.decide.evaluation import Drift, Evaluation
from worker.decide.policy import SEVERITIES, DriftRule, MetricRule
from worker.decide.rules import Outcome, RuleResult, drift_severity, percent, performance_drop, relative_drop
from worker.metric import HIGHER_IS_BETTER, LOWER_IS_BETTER

METRICS = sorted(LOWER_IS_BETTER | HIGHER_IS_BETTER)
#: decimals of up to 30 digits
DECIMALS = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent),
    st.integers(-(10**30) + 1, 10**30 - 1),
    st.integers(-30, 5),
)


@pytest.fixture(autouse=True, name="_exact")
def _exact() -> Any:
    """Let the test's own decimals have as many digits as they need."""
    with localcontext(prec=200):
        yield


def _judge(
    value: Decimal | None, baseline: Decimal | None, *, bee: BeeSpec = BEE, limit: str | Decimal = "0.2", **more: Any
) -> Outcome:
    evaluation = Evaluation(bee.bee, "1", NOW, metrics={bee.metric: value}, baseline={bee.metric: baseline}, **more)
    return _drop(evaluation, {}, bee=bee, limit=limit).outcome


def _drop(evaluation: Evaluation, recorded: Any, *, bee: BeeSpec = BEE, limit: str | Decimal = "0.2") -> RuleResult:
    rule = MetricRule(max_drop=Decimal(limit))
    return performance_drop(evaluation, bee, bee.metric, rule, recorded, bad_before=False)


def _bee(metric: str) -> BeeSpec:
    return BEE.model_copy(update={"metric": metric})


def _worse(baseline: Decimal, share: Decimal, metric: str) -> Decimal:
    """Return the value that is worse than the baseline by a share of it, exactly."""
    change = abs(baseline) * share
    return baseline + change if metric in LOWER_IS_BETTER else baseline - change


@given(DECIMALS, st.sampled_from(METRICS))
def test_exactly_the_threshold_never_triggers(baseline: Decimal, metric: str) -> None:
    """A drop of exactly 20 % is tolerated, for every metric and any baseline of up to 30 digits, negative ones too."""
    with localcontext(prec=200):
        assume(baseline != 0)
        value = _worse(baseline, Decimal("0.2"), metric)

        assert _judge(value, baseline, bee=_bee(metric)) is Outcome.CLEAR


@given(DECIMALS, st.sampled_from(METRICS))
def test_one_unit_in_the_last_place_more_triggers(baseline: Decimal, metric: str) -> None:
    """The smallest step beyond 20 % that the digits can spell triggers."""
    with localcontext(prec=200):
        assume(baseline != 0)
        value = _worse(baseline, Decimal("0.2"), metric)
        step = Decimal(1).scaleb(int(value.as_tuple().exponent))
        beyond = value + step if metric in LOWER_IS_BETTER else value - step

        assert _judge(beyond, baseline, bee=_bee(metric)) is Outcome.FIRED


@given(DECIMALS, DECIMALS, st.sampled_from(METRICS), st.decimals("0.01", "0.99", places=4))
def test_agrees_with_the_definition(value: Decimal, baseline: Decimal, metric: str, limit: Decimal) -> None:
    """It fires exactly when the worsening, as a share of the baseline's size, is more than the policy's limit."""
    assume(baseline != 0)
    sign = 1 if metric in LOWER_IS_BETTER else -1
    worsening = sign * (Fraction(value) - Fraction(baseline))

    outcome = _judge(value, baseline, bee=_bee(metric), limit=limit)

    assert (outcome is Outcome.FIRED) == (worsening > Fraction(limit) * abs(Fraction(baseline)))


@given(DECIMALS, DECIMALS)
def test_direction_is_the_only_difference(value: Decimal, baseline: Decimal) -> None:
    """Where lower is better a rise counts as much as a fall does elsewhere."""
    assume(baseline != 0)

    assert relative_drop(value, baseline, lower_is_better=True) == -relative_drop(
        value, baseline, lower_is_better=False
    )


@pytest.mark.parametrize("metric", METRICS)
def test_an_improvement_never_triggers(metric: str) -> None:
    """A model that got better is no reason to retrain it, in either direction."""
    better = Decimal("0.1") if metric in LOWER_IS_BETTER else Decimal("0.9")

    assert _judge(better, Decimal("0.5"), bee=_bee(metric)) is Outcome.CLEAR


def test_a_declared_direction_is_followed() -> None:
    """A metric of the user's own falls when it improves if the bee's file says so."""
    lower = BEE.model_copy(update={"metric": "regret", "metric_direction": "lower"})

    assert _judge(Decimal(2), Decimal(1), bee=lower) is Outcome.FIRED
    assert _judge(Decimal("0.5"), Decimal(1), bee=lower) is Outcome.CLEAR


@pytest.mark.parametrize(
    ("value", "baseline"),
    [(None, Decimal(1)), (Decimal(0), None), (None, None), (Decimal(0), Decimal(0)), (Decimal(-5), Decimal("-0"))],
)
def test_undefined_is_never_a_drop(value: Decimal | None, baseline: Decimal | None) -> None:
    """Without a value, without a baseline, or against a baseline of 0 there is no evidence."""
    assert _judge(value, baseline) is Outcome.UNDEFINED


def test_a_metric_that_is_not_there_is_undefined() -> None:
    """An evaluation of other metrics says nothing about the bee's."""
    evaluation = Evaluation(BEE.bee, "1", NOW, metrics={"roc_auc": Decimal(0)}, baseline={"roc_auc": Decimal(1)})

    assert _drop(evaluation, {}).outcome is Outcome.UNDEFINED


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({"sample_count": 49}, Outcome.UNDEFINED),
        ({"sample_count": 50}, Outcome.FIRED),
        ({"sample_count": 0}, Outcome.UNDEFINED),
        ({"positive_count": 19}, Outcome.UNDEFINED),
        ({"positive_count": 20}, Outcome.FIRED),
        ({"sample_count": 1000, "positive_count": 0}, Outcome.UNDEFINED),
        ({}, Outcome.FIRED),
    ],
)
def test_evidence(told: dict[str, int], outcome: Outcome) -> None:
    """Too few samples or positives are no evidence, where the event tells them."""
    assert _judge(Decimal(0), Decimal(1), **told) is outcome


def test_positives_do_not_count_for_a_regression() -> None:
    """A regression has no positive class."""
    bee = BEE.model_copy(update={"task": "regression", "evidence": Evidence(min_positives=20)})

    assert _judge(Decimal(0), Decimal(1), bee=bee, positive_count=0) is Outcome.FIRED


@pytest.mark.parametrize(
    ("event", "recorded", "origin"),
    [("0.5", "0.9", "event"), (None, "0.9", "the version's recorded evaluation"), (None, None, None)],
)
def test_the_baseline_falls_back_to_the_recorded_evaluation(
    event: str | None, recorded: str | None, origin: str | None
) -> None:
    """The event's baseline counts, else the one recorded with the version; the record says which."""
    evaluation = Evaluation(
        BEE.bee, "1", NOW, metrics={"f1": Decimal("0.45")}, baseline={"f1": Decimal(event) if event else None}
    )

    found = _drop(evaluation, {"f1": Decimal(recorded) if recorded else None})

    assert found.inputs["baselineFrom"] == origin


@pytest.mark.parametrize("detected", [True, False, None])
@pytest.mark.parametrize("severity", [*SEVERITIES, "HIGH", "High", " high", "", "severe", None])
def test_drift_fires_on_exactly_high(detected: bool | None, severity: str | None) -> None:  # noqa: FBT001
    """Only detected drift with severity `high`, letter by letter, triggers; more severe is another word."""
    evaluation = Evaluation(BEE.bee, "1", NOW, drift=Drift(detected, severity))

    fired = drift_severity(evaluation, DriftRule()).outcome is Outcome.FIRED

    assert fired == (detected is True and severity == "high")


@pytest.mark.parametrize("threshold", SEVERITIES[1:])
@pytest.mark.parametrize("severity", [*SEVERITIES, "severe", None])
def test_drift_at_least(threshold: str, severity: str | None) -> None:
    """A policy may ask for a severity or worse; a word outside the order never triggers."""
    policy = DriftRule(severity=threshold, at_least=True)
    evaluation = Evaluation(BEE.bee, "1", NOW, drift=Drift(detected=True, severity=severity))

    fired = drift_severity(evaluation, policy).outcome is Outcome.FIRED

    assert fired == (severity in SEVERITIES[SEVERITIES.index(threshold) :])


def test_silence_about_drift_is_undefined() -> None:
    """An event that does not say whether drift was detected is evidence of nothing."""
    for drift in (None, Drift(), Drift(severity="high")):
        found = drift_severity(Evaluation(BEE.bee, "1", NOW, drift=drift), DriftRule())

        assert found.outcome is Outcome.UNDEFINED


def test_a_drop_beyond_every_float_is_told() -> None:
    """A value of 1e300 against 1e-300 fires and can still be written down."""
    evaluation = Evaluation(BEE.bee, "1", NOW, metrics={"f1": Decimal("-1e300")}, baseline={"f1": Decimal("1e-300")})

    found = _drop(evaluation, {})

    assert found.outcome is Outcome.FIRED
    assert "times worse" in found.why


def test_percent() -> None:
    """A share is told to a tenth of a percent."""
    assert percent(Fraction(1, 3)) == "33.3%"


def test_what_the_rule_saw_is_recorded() -> None:
    """The rule's inputs say value, baseline, threshold and drop."""
    evaluation = Evaluation(BEE.bee, "1", NOW, metrics={"f1": Decimal("0.638")}, baseline={"f1": Decimal("0.912")})

    found = _drop(replace(evaluation, sample_count=437), {})

    assert found.inputs == {
        "metric": "f1",
        "value": Decimal("0.638"),
        "baseline": Decimal("0.912"),
        "baselineFrom": "event",
        "threshold": Decimal("0.2"),
        "sampleCount": 437,
        "positiveCount": None,
        "drop": 0.300439,
    }
    assert found.why == "f1 0.638 against 0.912: 30.0% worse, more than 20.0%"

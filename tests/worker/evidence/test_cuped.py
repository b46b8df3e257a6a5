"""CUPED."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import Rejected
from worker.evidence.cuped import Covaried, adjusted
from worker.evidence.effect import Effect, plain


def _arm(generator: np.random.Generator, rows: int, effect: float, *, missing: float = 0.0) -> Covaried:
    before = generator.normal(10, 3, rows)
    outcomes = 0.9 * before + generator.normal(0, 1, rows) + effect
    return Covaried().add(outcomes, np.where(generator.random(rows) < missing, math.nan, before))


def _both(seed: int, effect: float, *, rows: int = 1000, missing: float = 0.0) -> tuple[Effect, Effect]:
    generator = np.random.default_rng(seed)
    champion, challenger = (_arm(generator, rows, one, missing=missing) for one in (0.0, effect))
    return adjusted(challenger, champion, 0.05), plain(challenger.outcome, champion.outcome, 0.05)


def test_what_was_known_before_takes_the_noise_away() -> None:
    """A covariate that explains nearly nine tenths of the variance spares it, and proves what is hidden without."""
    found, without = _both(1, 0.3)
    # The share explained: 2.7² / (2.7² + 1²).
    assert found.spared == pytest.approx(0.879, abs=0.03)
    assert found.interval.lower > 0
    assert without.interval.lower < 0
    assert without.spared == 0


def test_the_adjusted_difference_is_the_regressions() -> None:
    """The estimate is the arm's coefficient of a least-squares fit with a common slope."""
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(2, 200)), generator.normal(size=(2, 200))
    y += 2 * x + np.array([[0.0], [0.3]])
    found = adjusted(Covaried().add(y[1], x[1]), Covaried().add(y[0], x[0]), 0.05)
    design = np.column_stack([np.ones(400), np.repeat([0, 1], 200), x.ravel()])
    coefficients, *_ = np.linalg.lstsq(design, y.ravel(), rcond=None)
    assert found.difference == pytest.approx(coefficients[1])
    assert found.champion == pytest.approx(coefficients[0] + coefficients[2] * x.mean())


def test_the_variance_is_that_of_the_adjusted_values() -> None:
    """Missing covariates included, it is what numpy computes of values adjusted one by one."""
    generator = np.random.default_rng(3)
    arms = [_arm(generator, 300, effect, missing=0.3) for effect in (0.0, 0.5)]
    generator = np.random.default_rng(3)
    means, variances, rows = [], [], []
    for effect in (0.0, 0.5):
        before = generator.normal(10, 3, 300)
        outcomes = 0.9 * before + generator.normal(0, 1, 300) + effect
        rows.append((outcomes, np.where(generator.random(300) < 0.3, math.nan, before)))
    known = [(y[~np.isnan(x)], x[~np.isnan(x)]) for y, x in rows]
    theta = sum(np.sum((x - x.mean()) * (y - y.mean())) for y, x in known) / sum(
        np.sum((x - x.mean()) ** 2) for _, x in known
    )
    middle = np.concatenate([x for _, x in known]).mean()
    for y, x in rows:
        values = y - theta * np.where(np.isnan(x), 0.0, x - middle)
        means.append(values.mean())
        variances.append(values.var(ddof=1) / len(values))
    found = adjusted(arms[1], arms[0], 0.05)
    assert found.difference == pytest.approx(means[1] - means[0])
    assert (found.champion, found.challenger) == (pytest.approx(means[0]), pytest.approx(means[1]))
    unadjusted = sum(np.var(y, ddof=1) / len(y) for y, _ in rows)
    assert found.spared == pytest.approx(1 - sum(variances) / unadjusted)


def test_rows_without_a_covariate_still_count() -> None:
    """With a third of the covariates missing all rows are in, and most of the noise is still spared."""
    found, _ = _both(4, 0.0, missing=0.33)
    assert found.rows == (1000, 1000)
    assert 0.4 < found.spared < 0.8


@pytest.mark.parametrize("missing", [0.0, 0.5])
def test_equals_are_told_apart_at_any_look_by_chance_only(missing: float) -> None:
    """Of 200 A/A tests with five looks no more than a twentieth exclude zero at 5 %."""
    excluded = 0
    for seed in range(200):
        generator, arms, out = np.random.default_rng(seed), [Covaried(), Covaried()], False
        for _ in range(5):
            for place, arm in enumerate(arms):
                before = generator.normal(10, 3, 100)
                outcomes = before + generator.normal(0, 1, 100)
                arms[place] = arm.add(outcomes, np.where(generator.random(100) < missing, math.nan, before))
            found = adjusted(arms[0], arms[1], 0.05).interval
            out |= not found.lower <= 0 <= found.upper
        excluded += out
    assert excluded <= 10


def test_a_covariate_that_says_nothing_changes_nothing() -> None:
    """All missing or all the same: the effect is the plain one."""
    values = np.random.default_rng(5).normal(size=200)
    for covariates in (np.full(200, math.nan), np.ones(200)):
        arm, other = Covaried().add(values, covariates), Covaried().add(values + 1, covariates)
        assert adjusted(other, arm, 0.05) == plain(other.outcome, arm.outcome, 0.05)
    assert adjusted(Covaried(), Covaried(), 0.05).difference is None


_PAIRS = st.lists(st.tuples(st.floats(-100, 100), st.one_of(st.floats(-100, 100), st.just(math.nan))), max_size=40)


@given(_PAIRS, st.integers(0, 40))
def test_batches_change_nothing_and_the_state_survives_json(pairs: list[tuple[float, float]], cut: int) -> None:
    """The state is the same to the last bit however it was cut, and after a way through strict JSON."""
    outcomes, covariates = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    at_once = Covaried.of(planned=700).add(outcomes, covariates)
    half = Covaried.of(planned=700).add(outcomes[:cut], covariates[:cut])
    back = Covaried.decoded(json.loads(json.dumps(half.encoded(), allow_nan=False)))
    assert back.add(outcomes[cut:], covariates[cut:]) == at_once


def test_outcomes_and_covariates_go_together() -> None:
    """As many of one as of the other are needed, and an outcome is never missing."""
    with pytest.raises(Rejected):
        Covaried().add([1.0, 2.0], [1.0])
    with pytest.raises(Rejected):
        Covaried().add([math.nan], [1.0])

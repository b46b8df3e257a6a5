"""Metrics with their intervals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from worker.monitor.intervals import roc_auc_interval, rows_interval, wilson
from worker.monitor.measured import Results, results
from worker.steps.metrics import Scores, measure

DRAW = np.random.default_rng(5)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5000), st.floats(0, 1), st.sampled_from([0.9, 0.95, 0.99]))
def test_wilsons_interval_is_scipys(rows: int, share: float, confidence: float) -> None:
    """The bounds are scipy's, at 0 and at all rows, too."""
    hits = round(rows * share)
    theirs = stats.binomtest(hits, rows).proportion_ci(confidence, method="wilson")
    assert wilson(hits, rows, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_delongs_variance_is_that_of_the_pairs() -> None:
    """By ranks or by comparing each pair: the interval is the same, ties included."""
    truth, score = DRAW.random(120) < 0.4, np.round(DRAW.random(120), 1)
    positive, negative = score[truth], score[~truth]
    wins = (positive[:, None] > negative).astype(float) + 0.5 * (positive[:, None] == negative)
    area = wins.mean()
    variance = wins.mean(axis=1).var(ddof=1) / len(positive) + wins.mean(axis=0).var(ddof=1) / len(negative)
    half = 1.959963984540054 * math.sqrt(variance) / (area * (1 - area))
    logit = math.log(area / (1 - area))
    expected = tuple(1 / (1 + math.exp(-bound)) for bound in (logit - half, logit + half))
    assert roc_auc_interval(truth, score, 0.95) == pytest.approx(expected, abs=1e-12)


def test_a_perfect_ranking_of_few_is_not_certain() -> None:
    """Six positives all ranked above: the area is 1, the lower bound is not."""
    truth = np.array([True] * 6 + [False] * 300)
    lower, upper = roc_auc_interval(truth, truth.astype(float), 0.95)
    assert upper == 1.0
    assert lower is not None
    assert 0.5 < lower < 0.7


def _binary(rows: int, positives: int, wrong: float = 0.1) -> Scores:
    truth = np.arange(rows) < positives
    score = np.where(DRAW.random(rows) < wrong, ~truth, truth) * 0.8 + DRAW.random(rows) * 0.2
    return Scores(truth, score > 0.5, score)


def _measured(scores: Scores | None, metric: str = "f1", task: str = "binary") -> Results:
    return results(metric, task, scores, confidence=0.95, seed=3)


def test_every_metric_lies_in_its_interval_and_is_the_gates_own() -> None:
    """Values are those that the gate computes, each between its bounds, and the same seed gives the same bounds."""
    scores = _binary(400, 130)
    for metric in ("f1", "mcc", "average_precision", "log_loss", "specificity"):
        found = _measured(scores, metric)
        assert next(iter(found.metrics)) == metric
        for name, one in found.metrics.items():
            assert one.value == measure(name, "binary", scores)
            assert one.lower is not None
            assert one.upper is not None
            assert one.lower < one.value < one.upper
        assert found == _measured(scores, metric)
    assert (found.rows, found.positives) == (400, 130)


def test_an_interval_covers_as_often_as_it_says() -> None:
    """Of 200 samples the 95 % interval of F1 holds the true value in at least 90 %."""
    covered = 0
    for _ in range(200):
        matrix = DRAW.multinomial(300, [0.27, 0.03, 0.03, 0.67])
        parts = [np.repeat(flag, matrix) for flag in ([True, False, True, False], [True, True, False, False])]
        one = _measured(Scores(parts[0], parts[1])).metrics["f1"]
        covered += one.lower is not None and one.upper is not None and one.lower <= 0.9 <= one.upper
    assert covered >= 180


def test_without_positives_f1_is_undefined() -> None:
    """A week without any positive has no F1, no recall, no ROC; accuracy it has."""
    found = _measured(_binary(200, 0)).metrics
    assert {name for name, one in found.items() if one.value is None} >= {"f1", "recall", "roc_auc"}
    assert found["f1"].lower is None
    assert found["accuracy"].value is not None


def test_without_rows_everything_is_undefined() -> None:
    """No labels: each metric is there, undefined."""
    found = _measured(None)
    assert all(one.value is None for one in found.metrics.values())
    assert (found.rows, found.positives) == (0, 0)
    assert _measured(None, "rmse", "regression").positives is None


def test_other_tasks_have_intervals_too() -> None:
    """Numbers and classes are measured with bounds around them."""
    truth = DRAW.normal(size=300)
    numbers = _measured(Scores(truth, truth + DRAW.normal(size=300)), "rmse", "regression").metrics
    classes = _measured(Scores(DRAW.integers(0, 3, 300), DRAW.integers(0, 3, 300)), "f1_macro", "multiclass").metrics
    for one in (*numbers.values(), *classes.values()):
        assert one.value is not None
        assert one.lower is not None
        assert one.upper is not None
        assert one.lower < one.value < one.upper


def test_many_rows_are_not_drawn_a_thousand_times() -> None:
    """With 200,000 rows a hundred resamples do: the interval is about as wide as the textbook's of a mean."""
    errors = np.ones(200_000)
    errors[:100_000] = 3.0
    bounds = rows_interval("mae", "regression", Scores(np.zeros(200_000), errors), 0.95, 1)
    assert bounds[0] == pytest.approx(2 - 1.96 / math.sqrt(200_000), abs=2e-3)
    assert bounds[1] == pytest.approx(2 + 1.96 / math.sqrt(200_000), abs=2e-3)

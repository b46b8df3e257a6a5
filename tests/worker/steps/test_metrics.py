import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as reference

from worker.errors import Rejected
from worker.metric import HIGHER_IS_BETTER, LOWER_IS_BETTER
from worker.steps.bootstrap import Question, interval
from worker.steps.classification import BINARY, MULTICLASS
from worker.steps.metrics import Scores, joined, measure
from worker.steps.ranking import METRICS as RANKING
from worker.steps.regression import METRICS as REGRESSION

ROWS = 40
BITS = arrays(bool, ROWS)
SHARES = arrays(float, ROWS, elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5, 0.8, 0.99, 1.0]))
NUMBERS = arrays(float, ROWS, elements=st.floats(-100, 100))


@settings(max_examples=40, deadline=None)
@given(BITS, BITS, SHARES)
def test_binary_metrics_are_those_of_scikit_learn(truth: np.ndarray, predicted: np.ndarray, score: np.ndarray) -> None:
    """Where the reference is defined, ours is the same; where it is not, ours is None."""
    scores = Scores(truth, predicted, score)
    positives, claimed = int(truth.sum()), int(predicted.sum())
    both = 0 < positives < ROWS
    expected = {
        "f1": reference.f1_score(truth, predicted, zero_division=0.0) if positives else None,
        "precision": reference.precision_score(truth, predicted) if claimed else None,
        "recall": reference.recall_score(truth, predicted) if positives else None,
        "accuracy": reference.accuracy_score(truth, predicted),
        "roc_auc": reference.roc_auc_score(truth, score) if both else None,
        "average_precision": reference.average_precision_score(truth, score) if positives else None,
        "brier": float(np.mean((score - truth) ** 2)),
        "mcc": reference.matthews_corrcoef(truth, predicted) if both and 0 < claimed < ROWS else None,
        "balanced_accuracy": reference.balanced_accuracy_score(truth, predicted) if both else None,
    }
    for name, value in expected.items():
        found = measure(name, "binary", scores)
        assert (found is None) == (value is None), name
        assert value is None or found == pytest.approx(value), name


@settings(max_examples=25, deadline=None)
@given(arrays(np.int64, ROWS, elements=st.integers(0, 3)), arrays(np.int64, ROWS, elements=st.integers(0, 3)))
def test_multiclass_metrics_are_those_of_scikit_learn(truth: np.ndarray, predicted: np.ndarray) -> None:
    """Macro and weighted means are the reference's."""
    scores = Scores(truth, predicted)

    for average in ("macro", "micro", "weighted"):
        expected = reference.f1_score(truth, predicted, average=average, zero_division=0.0)
        assert measure(f"f1_{average}", "multiclass", scores) == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(NUMBERS, NUMBERS)
def test_regression_metrics_are_those_of_scikit_learn(truth: np.ndarray, predicted: np.ndarray) -> None:
    """Errors and the explained share are the reference's."""
    scores = Scores(truth, predicted)

    assert measure("mae", "regression", scores) == pytest.approx(reference.mean_absolute_error(truth, predicted))
    assert measure("mse", "regression", scores) == pytest.approx(reference.mean_squared_error(truth, predicted))
    if np.var(truth) > 1e-6:
        assert measure("r2", "regression", scores) == pytest.approx(reference.r2_score(truth, predicted), rel=1e-6)


def test_every_metric_has_a_direction() -> None:
    """Whatever can be computed can also be judged."""
    assert {*BINARY, *MULTICLASS, *RANKING, *REGRESSION} <= LOWER_IS_BETTER | HIGHER_IS_BETTER


def test_no_rows_have_no_value_and_unknown_names_are_refused() -> None:
    """Nothing is undefined for nothing; a metric of another task is Rejected with those there are."""
    empty = np.array([], dtype=bool)

    assert measure("f1", "binary", Scores(empty, empty, np.array([]))) is None
    with pytest.raises(Rejected, match="accuracy"):
        measure("rmse", "binary", Scores(empty, empty))


def test_parts_without_scores_have_none_together() -> None:
    """Joined parts keep their scores only if all have them."""
    bits = np.array([True, False])

    assert joined([Scores(bits, bits), Scores(bits, bits, bits * 1.0)]).score is None


def _sides(better: float) -> tuple[Scores, Scores]:
    random = np.random.default_rng(1)
    truth = random.random(300) < 0.2
    weak = np.where(random.random(300) < 0.8, truth, ~truth)
    strong = np.where(random.random(300) < better, truth, weak)
    return Scores(truth, strong), Scores(truth, weak)


def test_the_interval_is_seeded_and_holds_the_difference() -> None:
    """The same seed gives the same bounds, around the difference; a surely better model is surely better."""
    question = Question("f1", "binary", lower_is_better=False)
    sides = _sides(0.9)
    one, two = (interval(question, *sides, confidence=0.95, resamples=300, seed=4) for _ in range(2))
    difference = question.ask(*sides)

    assert one == two
    assert one[0] is not None
    assert one[1] is not None
    assert difference is not None
    assert 0 < one[0] < difference < one[1]


def test_the_interval_is_signed_by_what_is_better() -> None:
    """For a metric that falls, fewer errors are an improvement, and swapping the models swaps the signs."""
    question = Question("error_rate", "binary", lower_is_better=True)
    strong, weak = _sides(0.9)
    lower, upper = interval(question, strong, weak, confidence=0.95, resamples=300, seed=4)
    worse, worst = interval(question, weak, strong, confidence=0.95, resamples=300, seed=4)

    assert lower is not None
    assert worst is not None
    assert lower > 0 > worst
    assert upper is not None
    assert worse == pytest.approx(-upper)


def test_a_model_against_itself_is_no_improvement() -> None:
    """Paired resampling of equal predictions gives exactly zero, which no gate passes."""
    side = _sides(0.9)[0]
    question = Question("f1", "binary", lower_is_better=False)

    assert interval(question, side, side, confidence=0.95, resamples=200, seed=1) == (0.0, 0.0)


def test_an_undefined_metric_has_no_bounds() -> None:
    """Without positives, or without rows, nothing is known."""
    nothing = np.zeros(50, dtype=bool)
    question = Question("f1", "binary", lower_is_better=False)
    for scores in (Scores(nothing, nothing), Scores(nothing[:0], nothing[:0])):
        assert interval(question, scores, scores, confidence=0.95, resamples=100, seed=1) == (None, None)
    assert not math.isnan(question.improvement(0.5, 0.25) or math.nan)

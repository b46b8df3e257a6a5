"""A bee's metrics on labelled rows, each with its interval; undefined ones are None, never 0; pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.monitor.intervals import (
    UNKNOWN,
    Interval,
    matrix_interval,
    roc_auc_interval,
    rows_interval,
    wilson,
)
from worker.steps.metrics import STANDARD, Scores, measure

Array = NDArray[Any]


@dataclass(frozen=True)
class Measured:
    """A metric's value, None where it is undefined, and its interval, None where a bound is not known.

    Attributes:
        rows: how many it rests on: of a recall the positives, of a precision those that were taken for positive.
    """

    value: float | None
    lower: float | None = None
    upper: float | None = None
    rows: int = 0


@dataclass(frozen=True)
class Results:
    """What a model did on labelled rows.

    Attributes:
        metrics: the bee's own first, then its task's standard ones.
        positives: rows of the positive class, None where the task has none.
    """

    metrics: dict[str, Measured]
    rows: int
    positives: int | None


def results(metric: str, task: str, scores: Scores | None, *, confidence: float, seed: int) -> Results:
    """Return every metric with its interval; without rows (None) each is undefined.

    Raises:
        Rejected: the metric is not known for the task.
    """
    names = dict.fromkeys((metric, *STANDARD[task]))
    binary = task == "binary"
    if scores is None or not len(scores.truth):
        return Results({name: Measured(None) for name in names}, 0, 0 if binary else None)
    found = {name: _measured(name, task, scores, confidence, seed) for name in names}
    return Results(found, len(scores.truth), int(np.sum(scores.truth)) if binary else None)


def _measured(name: str, task: str, scores: Scores, confidence: float, seed: int) -> Measured:
    value = measure(name, task, scores)
    interval = UNKNOWN if value is None else _interval(name, task, scores, confidence, seed)
    return Measured(value, *interval, rows=_rows(name, task, scores))


def _rows(name: str, task: str, scores: Scores) -> int:
    return _SHARES[name](*_matrix(scores))[1] if task == "binary" and name in _SHARES else len(scores.truth)


def _interval(name: str, task: str, scores: Scores, confidence: float, seed: int) -> Interval:
    if task == "binary":
        matrix = _matrix(scores)
        if name in _SHARES:
            return wilson(*_SHARES[name](*matrix), confidence)
        if name in _OF_MATRIX:
            return matrix_interval(_OF_MATRIX[name], matrix, confidence, seed)
        if name in {"roc_auc", "auc"} and scores.score is not None:
            return roc_auc_interval(scores.truth.astype(np.bool_), scores.score, confidence)
    if task == "multiclass" and name in {"accuracy", "f1_micro", "error_rate"}:
        right = int(np.sum(scores.truth == scores.predicted))
        hits = len(scores.truth) - right if name == "error_rate" else right
        return wilson(hits, len(scores.truth), confidence)
    return rows_interval(name, task, scores, confidence, seed)


def _matrix(scores: Scores) -> tuple[int, int, int, int]:
    both, actual, claimed = (
        int(np.sum(part)) for part in (scores.truth & scores.predicted, scores.truth, scores.predicted)
    )
    return both, claimed - both, actual - both, len(scores.truth) - actual - claimed + both


#: Metric -> (rows that count, rows that could), of true and false positives, false and true negatives.
_SHARES: dict[str, Callable[[int, int, int, int], tuple[int, int]]] = {
    "accuracy": lambda tp, fp, fn, tn: (tp + tn, tp + fp + fn + tn),
    "error_rate": lambda tp, fp, fn, tn: (fp + fn, tp + fp + fn + tn),
    "precision": lambda tp, fp, _fn, _tn: (tp, tp + fp),
    "recall": lambda tp, _fp, fn, _tn: (tp, tp + fn),
    "sensitivity": lambda tp, _fp, fn, _tn: (tp, tp + fn),
    "specificity": lambda _tp, fp, _fn, tn: (tn, tn + fp),
    "false_positive_rate": lambda _tp, fp, _fn, tn: (fp, tn + fp),
    "fpr": lambda _tp, fp, _fn, tn: (fp, tn + fp),
    "false_negative_rate": lambda tp, _fp, fn, _tn: (fn, tp + fn),
    "fnr": lambda tp, _fp, fn, _tn: (fn, tp + fn),
}


def _ratio(above: Array, below: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)


def _f1(drawn: Array) -> Array:
    tp, fp, fn, _ = drawn.T
    return np.where(tp + fn > 0, _ratio(2 * tp, 2 * tp + fp + fn), np.nan)


def _balanced(drawn: Array) -> Array:
    tp, fp, fn, tn = drawn.T
    return (_ratio(tp, tp + fn) + _ratio(tn, tn + fp)) / 2


def _mcc(drawn: Array) -> Array:
    tp, fp, fn, tn = drawn.T.astype(np.float64)
    return _ratio(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))


_OF_MATRIX: dict[str, Callable[[Array], Array]] = {"f1": _f1, "balanced_accuracy": _balanced, "mcc": _mcc}

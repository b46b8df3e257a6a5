"""Metrics of predicted classes; NaN where undefined."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def _counts(truth: Array, predicted: Array) -> tuple[float, float, float, float]:
    """Return true positives, false positives, false negatives, true negatives."""
    both, actual, claimed = int(np.sum(truth & predicted)), int(np.sum(truth)), int(np.sum(predicted))
    return both, claimed - both, actual - both, len(truth) - actual - claimed + both


def _ratio(above: float, below: float) -> float:
    return above / below if below else math.nan


def _f1(truth: Array, predicted: Array) -> float:
    tp, fp, fn, _ = _counts(truth, predicted)
    # Without positives recall is 0/0, and with it F1: no evidence, although the formula's other form would say 0.
    return 2 * tp / (2 * tp + fp + fn) if tp + fn else math.nan


def _precision(truth: Array, predicted: Array) -> float:
    tp, fp, _, _ = _counts(truth, predicted)
    return _ratio(tp, tp + fp)


def _recall(truth: Array, predicted: Array) -> float:
    tp, _, fn, _ = _counts(truth, predicted)
    return _ratio(tp, tp + fn)


def _specificity(truth: Array, predicted: Array) -> float:
    _, fp, _, tn = _counts(truth, predicted)
    return _ratio(tn, tn + fp)


def _mcc(truth: Array, predicted: Array) -> float:
    tp, fp, fn, tn = _counts(truth, predicted)
    return _ratio(tp * tn - fp * fn, math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))


def _accuracy(truth: Array, predicted: Array) -> float:
    return float(np.mean(truth == predicted))


def _per_class(truth: Array, predicted: Array) -> tuple[Array, Array, Array]:
    """Return hits, predictions and occurrences of each class that occurs in either."""
    classes = np.union1d(truth, predicted)
    hits = np.array([np.sum((truth == item) & (predicted == item)) for item in classes], dtype=float)
    claimed = np.array([np.sum(predicted == item) for item in classes], dtype=float)
    actual = np.array([np.sum(truth == item) for item in classes], dtype=float)
    return hits, claimed, actual


def _balanced_accuracy(truth: Array, predicted: Array) -> float:
    hits, _, actual = _per_class(truth, predicted)
    return float(np.mean(hits[actual > 0] / actual[actual > 0]))


def _f1_macro(truth: Array, predicted: Array) -> float:
    hits, claimed, actual = _per_class(truth, predicted)
    return float(np.mean(2 * hits / (claimed + actual)))


def _f1_weighted(truth: Array, predicted: Array) -> float:
    hits, claimed, actual = _per_class(truth, predicted)
    return float(np.average(2 * hits / (claimed + actual), weights=actual))


BINARY: dict[str, Callable[[Array, Array], float]] = {
    "f1": _f1,
    "precision": _precision,
    "recall": _recall,
    "sensitivity": _recall,
    "specificity": _specificity,
    "false_positive_rate": lambda truth, predicted: 1 - _specificity(truth, predicted),
    "fpr": lambda truth, predicted: 1 - _specificity(truth, predicted),
    "false_negative_rate": lambda truth, predicted: 1 - _recall(truth, predicted),
    "fnr": lambda truth, predicted: 1 - _recall(truth, predicted),
    "accuracy": _accuracy,
    "error_rate": lambda truth, predicted: 1 - _accuracy(truth, predicted),
    "balanced_accuracy": lambda truth, predicted: (_recall(truth, predicted) + _specificity(truth, predicted)) / 2,
    "mcc": _mcc,
}
MULTICLASS: dict[str, Callable[[Array, Array], float]] = {
    "accuracy": _accuracy,
    "error_rate": lambda truth, predicted: 1 - _accuracy(truth, predicted),
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1_macro,
    "f1_macro": _f1_macro,
    "f1_micro": _accuracy,
    "f1_weighted": _f1_weighted,
}

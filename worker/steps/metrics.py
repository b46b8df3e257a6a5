"""The metrics that bees are judged by, from labels and predictions; an undefined value (0/0) is None, never 0 or 1."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker import generation
from worker.errors import Rejected
from worker.steps import classification, ranking, regression

Array = NDArray[Any]


@dataclass(frozen=True)
class Scores:
    """Labels and predictions of the same rows.

    Attributes:
        truth: booleans for a binary task, class numbers for a multiclass one, values for a regression, zeros for a
            generation.
        predicted: of the same type; each answer's score for a generation.
        score: the positive class's probability, for a binary task.
    """

    truth: Array
    predicted: Array
    score: Array | None = None

    def take(self, indexes: Array) -> "Scores":
        """Return the rows at `indexes`."""
        score = None if self.score is None else self.score[indexes]
        return Scores(self.truth[indexes], self.predicted[indexes], score)


def joined(parts: Sequence[Scores]) -> Scores:
    """Return the rows of all parts; scores only if each part has them."""
    scores = [part.score for part in parts if part.score is not None]
    return Scores(
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.predicted for part in parts]),
        np.concatenate(scores) if len(scores) == len(parts) else None,
    )


Metric = Callable[[Array, Array], float]
#: task → the metrics reported beside the bee's own
STANDARD: dict[str, tuple[str, ...]] = {
    "binary": ("f1", "roc_auc", "accuracy", "precision", "recall"),
    "multiclass": ("accuracy", "balanced_accuracy", "f1_macro"),
    "regression": ("rmse", "mae", "r2"),
    "generation": (),
}
_LABELS: dict[str, dict[str, Metric]] = {
    "binary": classification.BINARY,
    "multiclass": classification.MULTICLASS,
    "regression": regression.METRICS,
    # Each answer was scored by itself; the metric of several is their mean.
    "generation": dict.fromkeys(generation.METRICS, lambda _, scores: float(np.mean(scores))),
}


def measure(name: str, task: str, scores: Scores) -> float | None:
    """Return a metric's value, None where it is undefined.

    Raises:
        Rejected: the metric is not known for the task.
    """
    if len(scores.truth) == 0:
        check(name, task)
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        value = _value(name, task, scores)
    return value if math.isfinite(value) else None


def check(name: str, task: str) -> None:
    """Make sure that a metric can be computed. Raises Rejected with the ones that can."""
    known = sorted({*_LABELS[task], *(ranking.METRICS if task == "binary" else ())})
    if name not in known:
        raise Rejected(f"{name!r} is not computed for {task} tasks", field="bee.metric", mend=f"use {', '.join(known)}")


def measure_all(metric: str, task: str, scores: Scores) -> dict[str, float | None]:
    """Return the bee's metric and the task's standard ones."""
    return {name: measure(name, task, scores) for name in dict.fromkeys((metric, *STANDARD[task]))}


def _value(name: str, task: str, scores: Scores) -> float:
    check(name, task)
    if task == "binary" and name in ranking.METRICS:
        return math.nan if scores.score is None else float(ranking.METRICS[name](scores.truth, scores.score))
    return float(_LABELS[task][name](scores.truth, scores.predicted))

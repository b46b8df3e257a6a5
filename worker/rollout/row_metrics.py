"""Metrics that are a mean over rows, one value per row: only these can be tested row by row; pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.bee import BeeSpec
from worker.metric import lower_is_better
from worker.steps.metrics import Scores

Array = NDArray[Any]
_TINY = 1e-15
#: What stands in for a bee's own metric if that is no mean over rows.
FALLBACK = {"binary": "accuracy", "multiclass": "accuracy", "regression": "mae"}


@dataclass(frozen=True)
class RowMetric:
    """A metric of single rows.

    Attributes:
        bounds: between which a row's value lies; None: unbounded.
        of: rows -> one value per row; None where the model tells too little (no probabilities).
    """

    name: str
    bounds: tuple[float, float] | None
    of: Callable[[Scores], Array | None]

    @property
    def lower_is_better(self) -> bool:
        """Its direction."""
        return lower_is_better(self.name)

    @property
    def difference_bounds(self) -> tuple[float, float] | None:
        """Between which the difference of two models on one row lies."""
        if self.bounds is None:
            return None
        reach = self.bounds[1] - self.bounds[0]
        return -reach, reach


def row_metric(name: str, task: str) -> RowMetric | None:
    """Return a metric of a task's rows, None if it is no mean over rows."""
    found = _BY_TASK.get(task, {}).get(name)
    return None if found is None else RowMetric(name, *found)


def primary_metric(bee: BeeSpec, asked: str = "") -> RowMetric | None:
    """Return what a bee's versions are compared by on rows, None if there is nothing of that kind.

    Args:
        bee: whose own metric it is where that is a mean over rows, else accuracy or the mean absolute error.
        asked: the plan's metric, instead of all that.
    """
    if asked:
        return row_metric(asked, bee.task)
    return row_metric(bee.metric, bee.task) or row_metric(FALLBACK.get(bee.task, ""), bee.task)


def _right(scores: Scores) -> Array:
    right: Array = (scores.truth == scores.predicted).astype(np.float64)
    return right


def _wrong(scores: Scores) -> Array:
    return 1 - _right(scores)


def _brier(scores: Scores) -> Array | None:
    if scores.score is None:
        return None
    missed: Array = (scores.score - scores.truth) ** 2
    return missed


def _log_loss(scores: Scores) -> Array | None:
    if scores.score is None:
        return None
    kept = np.clip(scores.score, _TINY, 1 - _TINY)
    lost: Array = -np.where(scores.truth, np.log(kept), np.log(1 - kept))
    return lost


def _absolute(scores: Scores) -> Array:
    missed: Array = np.abs(scores.truth - scores.predicted)
    return missed


def _squared(scores: Scores) -> Array:
    missed: Array = (scores.truth - scores.predicted) ** 2
    return missed


Known = tuple[tuple[float, float] | None, Callable[[Scores], Array | None]]
_SHARE: tuple[float, float] = (0.0, 1.0)
_CLASSES: dict[str, Known] = {"accuracy": (_SHARE, _right), "error_rate": (_SHARE, _wrong)}
_BY_TASK: dict[str, dict[str, Known]] = {
    "binary": {
        **_CLASSES,
        "brier": (_SHARE, _brier),
        "brier_score": (_SHARE, _brier),
        **dict.fromkeys(("log_loss", "logloss", "loss", "cross_entropy"), (None, _log_loss)),
    },
    "multiclass": {**_CLASSES, "f1_micro": (_SHARE, _right)},
    "regression": {"mae": (None, _absolute), "mse": (None, _squared), "loss": (None, _squared)},
}

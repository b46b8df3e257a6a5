"""The metrics that a test can decide by: means over labelled rows, or a feature whose values are the outcomes; pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.bee import BeeSpec
from worker.errors import Rejected
from worker.features.port import Definition
from worker.metric import lower_is_better
from worker.rollout.row_metrics import FALLBACK, row_metric
from worker.steps.metrics import Scores

Floats = NDArray[np.float64]
Bounds = tuple[float, float] | None
_SHARE = (0.0, 1.0)


@dataclass(frozen=True)
class Measure:
    """A metric that a test can decide by.

    Attributes:
        bounds: what a value can be, None where nothing is known.
        binary: every value is one of the bounds.
        rows: what each row contributes, NaN where the metric is not about it (recall, of a negative one); None: the
            metric is a feature whose values are the outcomes themselves.
    """

    name: str
    lower_is_better: bool
    bounds: Bounds
    binary: bool = False
    rows: Callable[[Scores], NDArray[Any] | None] | None = None

    @property
    def sign(self) -> int:
        """What a difference is multiplied by, so that more is better."""
        return -1 if self.lower_is_better else 1


def _where(kept: NDArray[Any], values: NDArray[Any]) -> Floats:
    return np.where(kept, values.astype(np.float64), np.nan)


#: Means over some of the rows: what the truth is, or what the model says, tells which.
_PARTLY: Mapping[str, Callable[[Scores], Floats]] = {
    "recall": lambda s: _where(s.truth, s.predicted),
    "sensitivity": lambda s: _where(s.truth, s.predicted),
    "specificity": lambda s: _where(~s.truth, ~s.predicted),
    "precision": lambda s: _where(s.predicted, s.truth),
    "false_positive_rate": lambda s: _where(~s.truth, s.predicted),
    "fpr": lambda s: _where(~s.truth, s.predicted),
    "false_negative_rate": lambda s: _where(s.truth, ~s.predicted),
    "fnr": lambda s: _where(s.truth, ~s.predicted),
}
_BINARY = {"accuracy", "error_rate", "f1_micro", *_PARTLY}
_TOLD = "accuracy, error_rate, brier, log_loss, recall, precision, specificity, false_positive_rate; mae, mse"


def primary_name(bee: BeeSpec, asked: str) -> str:
    """Return the metric that decides: the one asked for, else the bee's own if it is a mean over rows, else another."""
    if asked or _of_rows(bee.metric, bee.task) is not None:
        return asked or bee.metric
    return FALLBACK.get(bee.task, bee.metric)


def measure_of(name: str, bee: BeeSpec, definitions: Mapping[str, Definition], direction: str = "") -> Measure:
    """Return a metric by its name: a mean over rows, or a feature of the bee's entity.

    Args:
        name: of the metric, or of the feature.
        bee: whose rows or entity it is about.
        definitions: feature -> its definition.
        direction: `lower` or `higher`, of a feature whose name does not tell it; else empty.

    Raises:
        Rejected: it is neither, or its direction is not known.
    """
    found = _of_rows(name, bee.task)
    if found is not None:
        return found
    feature = definitions.get(name)
    if feature is None or feature.entity != bee.entity or feature.type not in {"number", "boolean"}:
        reason = f"{name!r} is neither a mean over rows nor a number (or boolean) of the entity {bee.entity!r}"
        raise Rejected(reason, field="metric", mend=f"use one of {_TOLD}; or the name of a feature")
    if feature.source == "computed":
        raise Rejected(
            f"{name!r} is computed; outcomes are stored", field="metric", mend="name a feature it is made of"
        )
    return Measure(name, _lower(name, direction), _bounds(feature), feature.type == "boolean")


def _of_rows(name: str, task: str) -> Measure | None:
    if task == "binary" and name in _PARTLY:
        return Measure(name, lower_is_better(name), _SHARE, binary=True, rows=_PARTLY[name])
    found = row_metric(name, task)
    return None if found is None else Measure(name, found.lower_is_better, found.bounds, name in _BINARY, found.of)


def _lower(name: str, direction: str) -> bool:
    try:
        return lower_is_better(name, direction or None)
    except Rejected as error:
        mend = "say it: direction: lower | higher (in a guard, too)"
        raise Rejected(error.reason, field="metric", mend=mend) from error


def _bounds(feature: Definition) -> Bounds:
    if feature.type == "boolean":
        return _SHARE
    lower, upper = feature.minimum, feature.maximum
    return None if lower is None or upper is None or lower >= upper else (lower, upper)

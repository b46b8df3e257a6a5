"""Metrics of predicted numbers; NaN where undefined."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def _mse(truth: Array, predicted: Array) -> float:
    return float(np.mean((truth - predicted) ** 2))


def _explained(truth: Array, error: float) -> float:
    spread = float(np.var(truth))
    return 1 - error / spread if spread else math.nan


def _mape(truth: Array, predicted: Array) -> float:
    return float(np.mean(np.abs(truth - predicted) / np.abs(truth))) if np.all(truth != 0) else math.nan


METRICS: dict[str, Callable[[Array, Array], float]] = {
    "mae": lambda truth, predicted: float(np.mean(np.abs(truth - predicted))),
    "medae": lambda truth, predicted: float(np.median(np.abs(truth - predicted))),
    "mse": _mse,
    "loss": _mse,
    "rmse": lambda truth, predicted: math.sqrt(_mse(truth, predicted)),
    "mape": _mape,
    "r2": lambda truth, predicted: _explained(truth, _mse(truth, predicted)),
    "explained_variance": lambda truth, predicted: _explained(truth, float(np.var(truth - predicted))),
}

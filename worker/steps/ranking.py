"""Metrics of the positive class's probability, for binary tasks; NaN where undefined."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_TINY = 1e-15


def _roc_auc(truth: Array, score: Array) -> float:
    """Return the chance that a positive is ranked above a negative, ties counting one half."""
    positives = int(np.sum(truth))
    negatives = len(truth) - positives
    if not positives or not negatives:
        return math.nan
    _, group, sizes = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    return float((np.sum(ranks[truth]) - positives * (positives + 1) / 2) / (positives * negatives))


def _average_precision(truth: Array, score: Array) -> float:
    """Return the mean precision over the thresholds at which recall grows."""
    positives = int(np.sum(truth))
    if not positives:
        return math.nan
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    hits = np.cumsum(truth[order])[last]
    claimed = (np.flatnonzero(last) + 1).astype(float)
    return float(np.sum(np.diff(hits, prepend=0) / positives * hits / claimed))


def _log_loss(truth: Array, score: Array) -> float:
    kept = np.clip(score, _TINY, 1 - _TINY)
    return float(-np.mean(np.where(truth, np.log(kept), np.log(1 - kept))))


def _brier(truth: Array, score: Array) -> float:
    return float(np.mean((score - truth) ** 2))


METRICS: dict[str, Callable[[Array, Array], float]] = {
    "roc_auc": _roc_auc,
    "auc": _roc_auc,
    "average_precision": _average_precision,
    "pr_auc": _average_precision,
    "log_loss": _log_loss,
    "logloss": _log_loss,
    "loss": _log_loss,
    "cross_entropy": _log_loss,
    "brier": _brier,
    "brier_score": _brier,
}

"""How sure a metric's value is, from the rows it rests on; pure, what is drawn is drawn with a given seed.

Shares of rows have Wilson's interval (E. B. Wilson, 1927); the area under the ROC curve DeLong's variance (E. R. DeLong
et al., 1988; by ranks as X. Sun and W. Xu, 2014) on the logit scale; all else the percentile bootstrap, which for
metrics of a confusion matrix draws the matrix itself.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.steps.bootstrap import bounds
from worker.steps.metrics import Scores, measure

Interval = tuple[float | None, float | None]
UNKNOWN: Interval = (None, None)
RESAMPLES = 1000
#: No more rows than this are drawn for one metric: with many rows, fewer resamples do.
_MOST_DRAWN = 20_000_000
_FEWEST = 50
#: From so many resamples on their own percentiles are told; below, those of a normal distribution as wide.
_ENOUGH = 400


def wilson(hits: int, rows: int, confidence: float) -> Interval:
    """Return the interval of a share of rows; unknown without any."""
    if not rows:
        return UNKNOWN
    z = normal_quantile((1 + confidence) / 2)
    share, scale = hits / rows, 1 + z * z / rows
    middle = (share + z * z / (2 * rows)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == rows else middle + half)


def roc_auc_interval(truth: NDArray[np.bool_], score: NDArray[Any], confidence: float) -> Interval:
    """Return DeLong's interval of the area under the ROC curve; unknown without two rows of each class."""
    positive, negative = score[truth], score[~truth]
    if min(len(positive), len(negative)) < 2:
        return UNKNOWN
    ranks = _midranks(np.concatenate([positive, negative]))
    above = (ranks[: len(positive)] - _midranks(positive)) / len(negative)
    below = 1 - (ranks[len(positive) :] - _midranks(negative)) / len(positive)
    area = float(above.mean())
    variance = float(above.var(ddof=1) / len(positive) + below.var(ddof=1) / len(negative))
    if not 0 < area < 1:
        # All pairs are ordered alike: how often another pair would not be is bounded by the rarer class alone.
        return wilson(round(area) * min(len(positive), len(negative)), min(len(positive), len(negative)), confidence)
    half = normal_quantile((1 + confidence) / 2) * math.sqrt(variance) / (area * (1 - area))
    logit = math.log(area / (1 - area))
    return _logistic(logit - half), _logistic(logit + half)


def matrix_interval(
    metric: Callable[[NDArray[Any]], NDArray[Any]], matrix: tuple[int, int, int, int], confidence: float, seed: int
) -> Interval:
    """Return the bootstrap interval of a metric of a confusion matrix.

    Args:
        metric: of matrices, shape (draws, 4), as true positives, false positives, false negatives, true negatives.
        matrix: the one that was seen.
        confidence: of the interval.
        seed: of the draws.
    """
    total = sum(matrix)
    if not total:
        return UNKNOWN
    drawn = np.random.default_rng(seed).multinomial(total, np.array(matrix) / total, size=RESAMPLES)
    return bounds([float(value) if math.isfinite(value) else None for value in metric(drawn)], confidence)


def rows_interval(name: str, task: str, scores: Scores, confidence: float, seed: int) -> Interval:
    """Return the bootstrap interval of any metric, its rows drawn."""
    rows = len(scores.truth)
    if rows < 2:
        return UNKNOWN
    generator = np.random.default_rng(seed)
    resamples = min(RESAMPLES, max(_FEWEST, _MOST_DRAWN // rows))
    found = [measure(name, task, scores.take(generator.integers(0, rows, rows))) for _ in range(resamples)]
    if resamples >= _ENOUGH:
        return bounds(found, confidence)
    value, defined = measure(name, task, scores), [one for one in found if one is not None]
    if value is None or len(defined) < resamples:
        return UNKNOWN
    half = normal_quantile((1 + confidence) / 2) * float(np.std(defined, ddof=1))
    return value - half, value + half


def normal_quantile(share: float) -> float:
    """Return below which value so large a share of the standard normal distribution lies."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)


def _midranks(values: NDArray[Any]) -> NDArray[np.float64]:
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    return ranks


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -500 else 0.0

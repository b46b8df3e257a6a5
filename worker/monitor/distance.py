"""How far two samples of one column are apart: PSI, Jensen–Shannon, Kolmogorov–Smirnov and chi-square; pure.

Sources: PSI as in N. Siddiqi, Credit Risk Scorecards (2006), with half a row added to each cell (Jeffreys) so that an
empty one is finite; Jensen–Shannon as the distance of J. Lin (1991), to base 2, between 0 and 1; the two-sample
Kolmogorov–Smirnov test with the distribution of one sample of the effective size; Pearson's test of homogeneity.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[Any]


class Tested(NamedTuple):
    """A test's statistic, and how likely one at least as large is if nothing has changed; NaN where undefined."""

    statistic: float
    p_value: float


#: With so many rows a p-value below that is taken from the limiting distribution, less than 1e-9 away.
_MANY, _CERTAIN = 50_000, 1e-6
UNTESTED = Tested(math.nan, math.nan)


def psi(reference: Counts, window: Counts) -> float:
    """Return the population stability index of two histograms over the same cells; NaN if either is empty.

    A cell that is empty in both is none.
    """
    if not reference.sum() or not window.sum():
        return math.nan
    used = (reference + window) > 0
    expected, actual = (_smoothed(counts[used]) for counts in (reference, window))
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def jensen_shannon(reference: Counts, window: Counts) -> float:
    """Return the Jensen–Shannon distance of two histograms, 0 (alike) to 1 (disjoint); NaN if either is empty."""
    if not reference.sum() or not window.sum():
        return math.nan
    expected, actual = reference / reference.sum(), window / window.sum()
    middle = (expected + actual) / 2
    divergence = (_relative_entropy(expected, middle) + _relative_entropy(actual, middle)) / 2
    return math.sqrt(max(divergence, 0.0))


def kolmogorov_smirnov(reference: Floats, window: Floats) -> Tested:
    """Return the two-sided test of two samples, each sorted; undefined if either is empty."""
    if not len(reference) or not len(window):
        return UNTESTED
    both = np.concatenate([reference, window])
    # Of two sorted runs a stable sort is a merge; whole numbers keep the sums exact.
    order = np.argsort(both, kind="stable")
    gap = np.cumsum(np.where(order < len(reference), len(window), -len(reference)))
    ranked = both[order]
    complete = np.append(ranked[1:] != ranked[:-1], True)
    statistic = float(np.abs(gap[complete]).max()) / (len(reference) * len(window))
    return Tested(statistic, _kolmogorov_tail(statistic, len(reference), len(window)))


def chi_square(reference: Counts, window: Counts) -> Tested:
    """Return the test that two histograms over the same cells come from one population, without a correction.

    Cells that are empty in both are left out; undefined if either histogram is empty, certain if one cell is left.
    """
    table = np.array([reference, window], dtype=np.float64)
    table = table[:, table.sum(axis=0) > 0]
    rows = table.sum(axis=1, keepdims=True)
    if not rows.all():
        return UNTESTED
    if table.shape[1] < 2:
        return Tested(0.0, 1.0)
    expected = rows * table.sum(axis=0, keepdims=True) / table.sum()
    statistic = float(np.sum((table - expected) ** 2 / expected))
    from scipy.special import chdtrc  # type: ignore[import-untyped]

    return Tested(statistic, float(chdtrc(table.shape[1] - 1, statistic)))


def _smoothed(counts: Counts) -> Floats:
    shares: Floats = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    return shares


def _relative_entropy(shares: Floats, middle: Floats) -> float:
    kept = shares > 0
    return float(np.sum(shares[kept] * np.log2(shares[kept] / middle[kept])))


def _kolmogorov_tail(statistic: float, first: int, second: int) -> float:
    from scipy.special import kolmogorov
    from scipy.stats import kstwo  # type: ignore[import-untyped]

    effective = np.round(first * second / (first + second))
    if effective < 1:
        return 1.0
    root = math.sqrt(effective)
    # The limit, shifted by its first term (J. Vrbik, 2018): below 1e-6 it is as good, where the exact sum takes long.
    limit = float(kolmogorov(root * statistic + 1 / (6 * root)))
    if effective > _MANY and limit < _CERTAIN:
        return limit
    return float(np.clip(kstwo.sf(statistic, effective), 0.0, 1.0))

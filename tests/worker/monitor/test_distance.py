"""The distances agree with scipy where it has them."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance as scipy_distance

from worker.monitor.distance import chi_square, jensen_shannon, kolmogorov_smirnov, psi

COUNTS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=12).filter(
    lambda cells: any(a for a, _ in cells) and any(b for _, b in cells)
)
SAMPLE = st.lists(st.sampled_from([-1.5, 0.0, 0.25, 1.0, 7.0]) | st.floats(-5, 5), min_size=2, max_size=60)


def _both(cells: list[tuple[int, int]]) -> Any:
    return np.array(cells).T


@settings(max_examples=60, deadline=None)
@given(SAMPLE, SAMPLE)
def test_kolmogorov_smirnov_is_scipys(first: list[float], second: list[float]) -> None:
    """Statistic and p-value are those of scipy's test by the asymptotic distribution, ties included."""
    ours = kolmogorov_smirnov(np.sort(np.array(first)), np.sort(np.array(second)))
    theirs = stats.ks_2samp(first, second, method="asymp")
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.01, 0.02, 0.03])
def test_of_many_rows_too(shift: float) -> None:
    """With a hundred thousand rows and more the p-value is still scipy's to 1e-9, from certain to surely not."""
    draw = np.random.default_rng(2)
    first, second = np.sort(draw.normal(size=120_000)), np.sort(draw.normal(shift, 1, 110_000))
    theirs = stats.ks_2samp(first, second, method="asymp")
    assert kolmogorov_smirnov(first, second) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(COUNTS)
def test_chi_square_is_scipys(cells: list[tuple[int, int]]) -> None:
    """Statistic and p-value are those of scipy's contingency test without a correction, over the cells in use."""
    before, now = _both(cells)
    ours = chi_square(before, now)
    table = np.array([before, now])[:, (before + now) > 0]
    theirs = stats.chi2_contingency(table, correction=False)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-9, abs=1e-9)
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(COUNTS)
def test_jensen_shannon_is_scipys_distance(cells: list[tuple[int, int]]) -> None:
    """It is scipy's distance to base 2, and symmetric."""
    before, now = _both(cells)
    assert jensen_shannon(before, now) == pytest.approx(scipy_distance.jensenshannon(before, now, base=2), abs=1e-7)
    assert jensen_shannon(before, now) == pytest.approx(jensen_shannon(now, before), abs=1e-12)


def test_psi_is_the_sum_over_cells_with_half_a_row_added() -> None:
    """A worked example by hand: shares 0.5/0.5 against 0.25/0.75 of 199 rows, half a row in each cell."""
    expected = sum((q - p) * math.log(q / p) for p, q in ((0.5, 50.5 / 202), (0.5, 151.5 / 202)))
    assert psi(np.array([100, 100]), np.array([50, 151])) == pytest.approx(expected, abs=1e-12)


def test_a_cell_that_both_lack_changes_nothing() -> None:
    """An empty cell is none, and samples of other sizes in the same shares are alike."""
    before, now = np.array([700, 300, 0]), np.array([70, 30, 0])
    assert psi(before, now) == psi(before[:2], now[:2]) == pytest.approx(0, abs=1e-4)
    assert jensen_shannon(before, now) == 0


def test_without_rows_nothing_is_defined() -> None:
    """An empty side gives NaN everywhere, no warning and no zero."""
    empty, some = np.zeros(2), np.array([1, 2])
    for found in (psi(some, empty), jensen_shannon(empty, some), chi_square(some, empty).p_value):
        assert math.isnan(found)
    assert math.isnan(kolmogorov_smirnov(np.array([]), np.array([1.0])).statistic)

"""Corrections for many tests."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from worker.monitor.correction import corrected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_benjamini_hochberg_is_scipys(p_values: list[float]) -> None:
    """The adjusted values are those of scipy's false discovery control, in the given order."""
    expected = stats.false_discovery_control(p_values, method="bh")
    assert corrected(p_values, "benjamini-hochberg") == pytest.approx(list(expected), abs=1e-12)


def test_holm_is_the_textbooks() -> None:
    """Each p-value is multiplied by how many are left, and never falls below an earlier one."""
    assert corrected([0.01, 0.04, 0.03, 0.005], "holm") == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_what_was_not_tested_counts_as_no_test() -> None:
    """NaN stays NaN, and the others are corrected as if it were not there."""
    found = corrected([math.nan, 0.02, 0.5], "holm")
    assert math.isnan(found[0])
    assert found[1:] == pytest.approx(corrected([0.02, 0.5], "holm"))


def test_a_thousand_quiet_features_are_hardly_ever_called_drifted() -> None:
    """Of 1,000 p-values under no change none survives the correction at 1 %, though ten or so would without."""
    p_values = np.random.default_rng(7).uniform(size=1000).tolist()
    assert sum(p < 0.01 for p in p_values) >= 5
    assert not [p for p in corrected(p_values, "benjamini-hochberg") if p < 0.01]

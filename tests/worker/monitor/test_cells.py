"""The cells that two samples are counted in."""

import numpy as np

from worker.features.columns import Column
from worker.monitor.cells import counted, cut_points, unseen
from worker.monitor.column import Summary, summed_up


def _numbers(*values: float) -> Summary:
    return Summary(len(values), np.sort(np.array(values, dtype=float)))


def test_numbers_are_cut_into_tenths_of_the_reference() -> None:
    """Each cell has a tenth of the reference's rows, and what lies beyond its range falls into the outer cells."""
    reference = _numbers(*np.random.default_rng(1).normal(size=1000))
    before, now = counted(reference, _numbers(-100.0, 100.0, 100.0))
    assert len(before) == 10
    assert before.min() >= 99
    assert (now[0], now[-1], now.sum()) == (1, 2, 3)


def test_a_number_that_many_rows_share_is_a_cell_of_its_own() -> None:
    """With half of all rows at 0, a window just beside 0 does not look like one at 0."""
    reference = _numbers(*([0.0] * 500), *np.linspace(1, 2, 500))
    before, now = counted(reference, _numbers(-0.5, 0.0, 0.5))
    assert 500 in before
    assert np.count_nonzero(now) == 3


def test_few_distinct_numbers_are_told_apart_exactly() -> None:
    """Each is a cell, and so is whatever lies between them."""
    before, now = counted(_numbers(0, 0, 1, 1, 1), _numbers(0, 0.5, 1, 2))
    assert sorted(before[before > 0].tolist()) == [2, 3]
    assert np.count_nonzero(now) == 4


def test_constant_and_empty_references_have_cells() -> None:
    """A constant is told from anything else; without numbers there is one cell."""
    before, now = counted(_numbers(*[3.0] * 50), _numbers(3.0, 3.1, 2.9))
    assert before.max() == 50
    assert now.max() == 1
    assert len(cut_points(np.array([]))) == 0


def test_categories_are_counted_by_the_references_most_frequent() -> None:
    """What the reference lacks, or has fewer than five rows of, falls together; what it lacks is told with its rows."""
    reference = summed_up(Column.of("string", [*["a"] * 6, *["b"] * 5, *["few"] * 4, None]))
    window = summed_up(Column.of("string", ["a", "few", "c", "c", "d"]))
    before, now = counted(reference, window)
    assert before.tolist() == [6, 5, 4]
    assert now.tolist() == [1, 0, 4]
    assert unseen(reference, window) == {"c": 2, "d": 1}
    assert (reference.rows, reference.known, reference.missing) == (16, 15, 1)


def test_every_type_of_feature_has_a_summary() -> None:
    """Numbers are sorted, booleans are categories, a vector counts as its length."""
    assert summed_up(Column.of("number", [2.0, None, 1.0])).numbers.tolist() == [1.0, 2.0]  # type: ignore[union-attr]
    assert summed_up(Column.of("boolean", [True, None, False, True])).categories == {"True": 2, "False": 1}
    assert summed_up(Column.of("vector", [[3.0, 4.0], None])).numbers.tolist() == [5.0]  # type: ignore[union-attr]

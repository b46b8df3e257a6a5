"""The periods that a history falls into."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from worker.backtest.periods import ends, next_boundary, periods
from worker.clock import to_us
from worker.errors import Rejected

WEEK = timedelta(days=7)
THURSDAY = datetime(2002, 8, 1, tzinfo=UTC)


def test_periods_begin_at_whole_multiples_as_the_monitors_do() -> None:
    """A week begins on the day of the week on which 1970 began; a moment that is a boundary is its own."""
    assert next_boundary(THURSDAY, WEEK) == THURSDAY
    assert next_boundary(THURSDAY + timedelta(seconds=1), WEEK) == THURSDAY + WEEK
    assert next_boundary(datetime(1969, 12, 31, tzinfo=UTC), WEEK) == datetime(1970, 1, 1, tzinfo=UTC)


def test_the_last_period_is_cut_short_by_the_end() -> None:
    """Nothing is left out and nothing is counted twice."""
    found = periods(THURSDAY, THURSDAY + WEEK * 2 + timedelta(days=1), WEEK)

    assert [(one.end - one.start) / timedelta(days=1) for one in found] == [7, 7, 1]
    assert all(before.end == after.start for before, after in pairwise(found))


@pytest.mark.parametrize(("until", "every", "field"), [(0, WEEK, "--from"), (400, timedelta(hours=1), "--every")])
def test_what_makes_no_sensible_periods_is_refused(until: int, every: timedelta, field: str) -> None:
    """A history that is over, or one in more pieces than anybody wants to train for, names what to change."""
    with pytest.raises(Rejected) as caught:
        periods(THURSDAY, THURSDAY + timedelta(days=until), every)

    assert caught.value.field == field


def test_a_row_at_a_boundary_belongs_to_what_begins_there() -> None:
    """Ends count the rows before them."""
    found = periods(THURSDAY, THURSDAY + WEEK * 2, WEEK)
    times = np.array([to_us(THURSDAY), to_us(THURSDAY + WEEK) - 1, to_us(THURSDAY + WEEK)])

    assert ends(found, times) == [2, 3]

"""Aggregates over histories, by hand: edges of windows, ttl, late data, corrections, nulls."""

import math
import statistics
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.features.computed.listed import evaluation, shown
from tests.worker.features.computed.reference import Entry
from worker.errors import Rejected
from worker.features.computed import windows
from worker.features.port import Definition, Value

DAY = 86_400_000_000


def ask(
    text: str,
    history: Sequence[tuple[int, int, Value]],
    *times: int,
    kind: str = "number",
    ttl: timedelta | None = None,
    respect: bool = True,
) -> list[Value]:
    """Return a computation at some times, over (event time, known-at, value) of the feature x in writing order."""
    type_ = "string" if any(isinstance(value, str) for _, _, value in history) else "number"
    definitions = {
        "x": Definition("x", "user", type_, ttl=ttl),
        "wanted": Definition("wanted", "user", kind, source="computed", computation=text),
    }
    entries = [Entry(1, "x", event, known, value) for event, known, value in history]
    entries += [Entry(2, "x", event, event, 1e9) for event in range(4)]  # another's, which must not count
    rows = [(1, time) for time in times]
    return shown(evaluation(definitions, entries, rows, respect=respect).compute("wanted"))[0]


def now_and_then(*values: Value) -> list[tuple[int, int, Value]]:
    """Return a history with a value a day, each known at once."""
    return [(number * DAY, number * DAY, value) for number, value in enumerate(values)]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("sum", 17.0),
        ("count", 4.0),
        ("mean", 4.25),
        ("min", 2.0),
        ("max", 8.0),
        ("std", math.sqrt(24.75 / 3)),
        ("last", 2.0),
        ("first", 5.0),
        ("distinct", 3.0),
    ],
)
def test_each_function_over_the_whole_history(function: str, expected: float) -> None:
    """Nulls are skipped, also as the first and the last."""
    assert ask(f"{function}(x)", now_and_then(None, 5.0, 2.0, None, 8.0, 2.0, None), 9 * DAY) == [expected]


def test_a_window_is_open_where_it_begins_and_closed_where_it_ends() -> None:
    """`over 2d` at t is (t - 2d, t]: what is exactly two days old is out, what is of this moment is in."""
    history = now_and_then(1.0, 10.0, 100.0)
    assert ask("sum(x over 2d)", history, 2 * DAY, 2 * DAY - 1, 2 * DAY + 1, 3 * DAY - 1, 3 * DAY) == [
        110.0,
        11.0,
        110.0,
        110.0,
        100.0,
    ]
    assert ask("count(x over 1us)", history, DAY, DAY + 1) == [1.0, 0.0]


def test_the_whole_history_ends_where_the_ttl_ends() -> None:
    """Without a window, what is not older than the ttl counts, exactly that old included, as in every read."""
    history, ttl = now_and_then(1.0, 10.0, 100.0), timedelta(days=2)
    assert ask("sum(x)", history, 2 * DAY, 2 * DAY + 1, 4 * DAY, 4 * DAY + 1, ttl=ttl) == [111.0, 110.0, 100.0, None]
    assert ask("sum(x over 1d)", history, 2 * DAY, ttl=ttl) == [100.0]
    assert ask("x", history, 4 * DAY, 4 * DAY + 1, ttl=ttl) == [100.0, None]


def test_what_was_not_known_yet_does_not_count() -> None:
    """Late data counts from the moment it was known, that moment included, unless known-at is switched off."""
    history = [(1, 1, 1.0), (2, 50, 10.0), (3, 3, 100.0)]
    assert ask("sum(x)", history, 3, 49, 50) == [101.0, 101.0, 111.0]
    assert ask("sum(x)", history, 3, 49, 50, respect=False) == [111.0, 111.0, 111.0]
    assert ask("last(x)", [(1, 1, 1.0), (2, 9, 2.0)], 5, 9) == [1.0, 2.0]


def test_a_correction_replaces_from_when_it_was_known() -> None:
    """For one event time the newest known value counts, once; a correction to null takes it away."""
    history = [(1, 1, 1.0), (2, 2, 5.0), (2, 7, 6.0), (2, 9, None)]
    assert ask("sum(x)", history, 6, 7, 8, 9) == [6.0, 7.0, 7.0, 1.0]
    assert ask("count(x)", history, 6, 8, 9) == [2.0, 2.0, 1.0]
    assert ask("last(x)", history, 6, 8, 9) == [5.0, 6.0, 1.0]


def test_of_values_known_at_once_the_last_written_counts() -> None:
    """A tie of event time and known-at is decided by the order of writing."""
    assert ask("sum(x)", [(1, 1, 1.0), (1, 1, 2.0)], 1) == [2.0]
    assert ask("sum(x)", [(1, 1, 2.0), (1, 1, 1.0)], 1) == [1.0]


def test_a_correction_that_is_known_late_does_not_hide_the_value() -> None:
    """Before it is known, the value that it corrects stands, whatever their order in the store."""
    assert ask("sum(x)", [(1, 9, 7.0), (1, 1, 2.0)], 5, 9) == [2.0, 7.0]


def test_texts_are_counted_and_picked() -> None:
    """count, distinct, first and last take texts."""
    history = now_and_then("b", None, "a", "b")
    assert ask("count(x)", history, 9 * DAY) == [3.0]
    assert ask("distinct(x)", history, 9 * DAY) == [2.0]
    assert ask("first(x)", history, 9 * DAY, kind="string") == ["b"]
    assert ask("last(x over 1d)", history, 2 * DAY, kind="string") == ["a"]


def test_a_sum_is_exact_until_it_is_rounded_once() -> None:
    """Neither large values that cancel nor many small ones cost a digit."""
    assert ask("sum(x)", now_and_then(1e16, 1.0, -1e16, 1.0), 9 * DAY) == [2.0]
    assert ask("sum(x)", now_and_then(*[0.1] * 10), 20 * DAY) == [1.0]
    assert ask("mean(x)", now_and_then(*[0.1] * 3), 9 * DAY) == [math.fsum([0.1] * 3) / 3]
    assert ask("std(x)", now_and_then(*[0.1] * 3), 9 * DAY) == [0.0]
    assert ask("std(x)", now_and_then(1e9 + 1, 1e9 + 2, 1e9 + 3), 9 * DAY) == [1.0]


@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=30))
def test_a_deviation_is_that_of_exact_arithmetic(values: list[float]) -> None:
    """Within some last places, also where values differ little."""
    exact = statistics.stdev(values)
    assert ask("std(x)", now_and_then(*values), 99 * DAY) == [pytest.approx(exact, rel=1e-12, abs=1e-150)]


def test_one_value_has_no_deviation_and_an_overflow_is_null() -> None:
    """A deviation takes two values at least; a sum beyond the numbers is none."""
    assert ask("std(x)", now_and_then(3.0), DAY) == [None]
    assert ask("sum(x)", now_and_then(1.7e308, 1.7e308), 9 * DAY) == [None]
    assert ask("mean(x)", now_and_then(1.7e308, 1.7e308), 9 * DAY) == [None]
    assert ask("std(x)", now_and_then(1.7e308, -1.7e308), 9 * DAY) == [None]


def test_times_before_1970_and_far_ahead() -> None:
    """Negative and huge times are times like others."""
    first, last = -62_135_596_800_000_000, 253_402_300_799_999_999
    assert ask("sum(x)", [(first, first, 1.0), (last, last, 2.0)], first, 0, last) == [1.0, 1.0, 3.0]
    assert ask("sum(x over 1d)", [(-DAY, -DAY, 1.0), (0, 0, 2.0)], -1, 0) == [1.0, 2.0]
    assert ask("sum(x over 999999999d)", [(first, first, 1.0)], last) == [1.0]


def test_a_window_of_too_many_values_is_refused_and_not_cut() -> None:
    """100,000 values are computed, one more is an error with the mend."""
    history = [(number, number, 1.0) for number in range(windows.MAX_WINDOW_VALUES + 1)]
    assert ask("sum(x)", history, windows.MAX_WINDOW_VALUES - 1) == [float(windows.MAX_WINDOW_VALUES)]
    with pytest.raises(Rejected, match=r"a window of 'x' spans 100001 values; 100000 is the most. Shorten the window"):
        ask("sum(x)", history, windows.MAX_WINDOW_VALUES)


def test_rows_are_computed_in_parts_of_bounded_size() -> None:
    """Whatever the number of values that windows span together, each row has its own answer."""
    history = [(number, number, float(number % 7)) for number in range(3000)]
    times = [2999 - step * 5 for step in range(590)]  # together 1.8 million values: more than one part
    expected = [float(sum(number % 7 for number in range(time + 1))) for time in times]
    assert ask("sum(x)", history, *times, *times) == expected + expected

"""Windows, and when they are due."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.bee import MonitorSpec
from worker.clock import EPOCH
from worker.monitor.period import Period, enough, labelled_share, newest_due, window_at

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


def test_a_window_ends_the_label_delay_before() -> None:
    """As of a time the window is the one whose labels have had their time."""
    spec = MonitorSpec.model_validate({"window": "2d", "labelDelay": "3d"})
    window = window_at(NOON, spec)
    assert (NOON - window.end, window.end - window.start) == (timedelta(days=3), timedelta(days=2))
    assert window_at(NOON, spec, WEEK).start == NOON - timedelta(days=10)


def test_a_window_is_named_by_its_days_or_its_times() -> None:
    """Whole days are told by dates alone."""
    midnight = NOON.replace(hour=0)
    assert Period(midnight - WEEK, midnight).id == "2024-03-03..2024-03-10"
    assert Period(NOON - WEEK, NOON).id == "2024-03-03T12:00:00Z..2024-03-10T12:00:00Z"


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 hypothesis adds the zone itself
    st.integers(1, 10**7),
    st.integers(0, 10**7),
)
def test_whoever_asks_when_gets_the_same_window(at: datetime, every_s: int, delay_s: int) -> None:
    """What is due lies at most `every` back, never ahead, and its window's end is on the grid."""
    now = at.replace(tzinfo=UTC)
    every, delay = timedelta(seconds=every_s), timedelta(seconds=delay_s)
    due = newest_due(now, every, delay)
    assert now - every < due <= now
    assert (due - delay - EPOCH) % every == timedelta(0)
    assert newest_due(due, every, delay) == due


@pytest.mark.parametrize(
    ("now", "usual", "least", "told"),
    [(0.5, 0.5, 0.8, True), (0.5, 1.0, 0.8, False), (0.8, 1.0, 0.8, True), (None, 1.0, 0.8, True),
     (0.0, None, 0.8, True), (0.0, 0.0, 0.8, True), (0.1, 1.0, 0.0, True)],
)  # fmt: skip
def test_enough_is_a_share_of_the_usual(now: float | None, usual: float | None, least: float, told: bool) -> None:  # noqa: FBT001
    """Where either is not known nothing is awaited."""
    assert enough(now, usual, least) is told


def test_the_labelled_share_counts_entities() -> None:
    """Of those that were seen, however often."""
    assert labelled_share(["a", "a", "b"], ["b", "c"]) == 0.5
    assert labelled_share([], ["b"]) is None

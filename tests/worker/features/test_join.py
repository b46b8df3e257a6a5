"""The point-in-time join against cases written by hand, and against the rule written naively."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.features.join import Log, join


class Entry(NamedTuple):
    """One value: entity, event time, known-at, value; the position in a list is the write sequence."""

    entity: int
    event: int
    known: int
    value: object


def naive(entries: list[Entry], entity: int, time: int, ttl: int | None, *, respect: bool) -> object:
    """Return what the rule says, by looking at every value."""
    may = [
        (entry.event, entry.known, sequence, entry)
        for sequence, entry in enumerate(entries)
        if entry.entity == entity and entry.event <= time and (not respect or entry.known <= time)
    ]
    if not may:
        return None
    event, _, _, newest = max(may, key=lambda found: found[:3])
    return None if ttl is not None and time - event > ttl else newest.value


def joined(
    entries: list[Entry], spine: list[tuple[int, int]], ttl: int | None = None, *, respect: bool = True
) -> list[object]:
    """Join a spine of (entity, time) with values in write order."""
    columns = [np.array([entry[column] for entry in entries], dtype=np.int64) for column in range(3)]
    log = Log.sorting(*columns, np.arange(len(entries)), [entry.value for entry in entries])
    entity = np.array([row[0] for row in spine], dtype=np.int64)
    time = np.array([row[1] for row in spine], dtype=np.int64)
    return join(log, entity, time, ttl_us=ttl, respect_known_at=respect).pick(log.values)


YEAR_1, YEAR_9999 = -62_135_596_800_000_000, 253_402_300_799_999_999

#: what is told, values (entity, event, known, value), row (entity, t), ttl, respect known-at, expected
CASES = [
    ("nothing is stored", [], (1, 100), None, True, None),
    ("another entity's value", [(2, 10, 10, "a")], (1, 100), None, True, None),
    ("an entity without a code", [(1, 10, 10, "a")], (-1, 100), None, True, None),
    ("an earlier value", [(1, 10, 10, "a")], (1, 100), None, True, "a"),
    ("a value at exactly t", [(1, 100, 100, "a")], (1, 100), None, True, "a"),
    ("a value one microsecond after t", [(1, 101, 50, "a")], (1, 100), None, True, None),
    ("the newest of several", [(1, 10, 10, "a"), (1, 20, 20, "b"), (1, 30, 30, "c")], (1, 25), None, True, "b"),
    ("written in the wrong order", [(1, 20, 20, "b"), (1, 10, 10, "a")], (1, 25), None, True, "b"),
    ("known exactly at t", [(1, 10, 100, "a")], (1, 100), None, True, "a"),
    ("known one microsecond after t", [(1, 10, 101, "a"), (1, 5, 5, "old")], (1, 100), None, True, "old"),
    ("known too late, and nothing else", [(1, 10, 101, "a")], (1, 100), None, True, None),
    ("known too late, known-at switched off", [(1, 10, 101, "a"), (1, 5, 5, "old")], (1, 100), None, False, "a"),
    ("late data between two values", [(1, 10, 10, "a"), (1, 30, 30, "c"), (1, 20, 90, "b")], (1, 25), None, True, "a"),
    ("late data once it is known", [(1, 10, 10, "a"), (1, 30, 30, "c"), (1, 20, 90, "b")], (1, 95), None, True, "c"),
    ("one event time, newest known-at", [(1, 10, 30, "new"), (1, 10, 20, "old")], (1, 50), None, True, "new"),
    ("one event time, correction not known yet", [(1, 10, 20, "a"), (1, 10, 60, "b")], (1, 50), None, True, "a"),
    ("one event time and known-at, last written", [(1, 10, 20, "a"), (1, 10, 20, "b")], (1, 50), None, True, "b"),
    ("a whole backfill known later", [(1, at, 1000, at) for at in range(1, 64)], (1, 100), None, True, None),
    (
        "a long backfill over one value known in time",
        [(1, 0, 0, "known"), *((1, at, 1000, at) for at in range(1, 64))],
        (1, 100),
        None,
        True,
        "known",
    ),
    ("the same backfill, switched off", [(1, at, 1000, at) for at in range(1, 64)], (1, 100), None, False, 63),
    ("exactly as old as the ttl", [(1, 10, 10, "a")], (1, 60), 50, True, "a"),
    ("one microsecond older than the ttl", [(1, 10, 10, "a")], (1, 61), 50, True, None),
    ("expired, though an unknown newer one is fresh", [(1, 10, 10, "a"), (1, 55, 90, "b")], (1, 61), 50, True, None),
    ("a ttl counts from event time, not known-at", [(1, 10, 60, "a")], (1, 61), 50, True, None),
    ("a newer NULL hides a value", [(1, 10, 10, "a"), (1, 20, 20, None)], (1, 50), None, True, None),
    ("a value after a NULL", [(1, 10, 10, None), (1, 20, 20, "b")], (1, 50), None, True, "b"),
    ("a NULL that is not known yet hides nothing", [(1, 10, 10, "a"), (1, 20, 90, None)], (1, 50), None, True, "a"),
    ("an expired NULL uncovers nothing", [(1, 10, 10, "a"), (1, 20, 20, None)], (1, 90), 50, True, None),
    ("before 1970", [(1, -50, -50, "a"), (1, -10, -10, "b")], (1, -20), None, True, "a"),
    ("from the first microsecond to the last", [(1, YEAR_1, YEAR_1, "a")], (1, YEAR_9999), None, True, "a"),
    ("a ttl of all time, less one", [(1, YEAR_1, YEAR_1, "a")], (1, YEAR_9999), YEAR_9999 - YEAR_1 - 1, True, None),
    ("a ttl beyond 64 bits", [(1, YEAR_1, YEAR_1, "a")], (1, YEAR_9999), 2**80, True, "a"),
    ("a vector", [(1, 10, 10, [1.0, 2.0])], (1, 10), None, True, [1.0, 2.0]),
]


@pytest.mark.parametrize(
    ("told", "values", "row", "ttl", "respect", "expected"), CASES, ids=[case[0] for case in CASES]
)
def test_a_case_written_by_hand(
    told: str,
    values: list[tuple[int, int, int, object]],
    row: tuple[int, int],
    ttl: int | None,
    respect: bool,  # noqa: FBT001 - a column of the table
    expected: object,
) -> None:
    """Each row of the table has the answer that stands beside it, among other entities' values too."""
    entries = [Entry(*value) for value in values]
    noise = [Entry(other, at, 0, "noise") for other in (-7, 0, 3, 9) for at in (5, 50)]
    assert joined(entries, [row], ttl, respect=respect) == [expected]
    assert joined(noise + entries, [row], ttl, respect=respect) == [expected]
    assert naive(entries, *row, ttl, respect=respect) == expected


def test_rows_keep_their_order_and_duplicates() -> None:
    """Every row is answered where it stands, a repeated one every time."""
    entries = [Entry(1, 10, 10, "a"), Entry(2, 20, 20, "b")]
    spine = [(2, 30), (1, 30), (3, 30), (2, 30), (2, 5)]
    assert joined(entries, spine) == ["b", "a", None, "b", None]


def test_no_rows_is_no_answer() -> None:
    """An empty spine gives an empty column."""
    assert joined([Entry(1, 10, 10, "a")], []) == []
    assert joined([], []) == []


def test_what_known_at_takes_is_counted() -> None:
    """The join tells how many rows would have had a value without known-at, expired ones left out."""
    log = Log.sorting(*(np.array(column) for column in ([1, 1], [10, 40], [500, 20], [0, 1])), ["late", "early"])
    found = join(log, np.array([1, 1, 1, 2]), np.array([20, 45, 99, 45]), ttl_us=30)
    assert found.without_known_at == 2
    assert found.found == 1


few = st.integers(0, 3)
moments = st.integers(0, 12)
entry_lists = st.lists(st.builds(Entry, few, moments, moments, st.one_of(st.none(), st.integers(0, 99))), max_size=60)


@given(entry_lists, st.lists(st.tuples(st.integers(-1, 4), moments), max_size=30), st.none() | moments, st.booleans())
@example([Entry(0, 0, 12 - at, at) for at in range(9)], [(0, at) for at in range(12)], None, True)  # noqa: FBT003
@settings(max_examples=400, deadline=None)
def test_the_join_is_the_rule(
    entries: list[Entry],
    spine: list[tuple[int, int]],
    ttl: int | None,
    respect: bool,  # noqa: FBT001 - drawn
) -> None:
    """On any history and spine the vectorised join answers what the rule, written naively, answers."""
    expected = [naive(entries, entity, time, ttl, respect=respect) for entity, time in spine]
    assert joined(entries, spine, ttl, respect=respect) == expected


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=50, max_size=300))
@settings(max_examples=60, deadline=None)
def test_long_histories_of_one_entity_are_stepped_through_exactly(times: list[tuple[int, int]]) -> None:
    """Where known-at has nothing to do with event time, the long jumps back land on the right value."""
    entries = [Entry(1, event, known, number) for number, (event, known) in enumerate(times)]
    spine = [(1, time) for time in range(0, 400, 7)]
    assert joined(entries, spine) == [naive(entries, 1, time, None, respect=True) for _, time in spine]

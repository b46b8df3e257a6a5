"""Aggregates over the part of a history that counts for a row.

For a row at t that is what has an event time within the window before t and was known by t, one value per event time:
the newest known, so that a correction replaces what it corrects. Nulls are skipped.

A sum is exact until it is rounded once (`math.fsum`), so that it depends neither on an order nor on what other rows
are computed beside it, which differences of running sums would.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from worker.errors import Rejected
from worker.features.computed.cells import Cells, cells
from worker.features.computed.functions import NUMBER
from worker.features.join import Ints, Log
from worker.features.port import Definition

#: How many stored values of one entity one window may span.
MAX_WINDOW_VALUES = 100_000
#: Stands for the event time of nothing.
NEVER = -(2**62)
#: How many values are looked at at a time.
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Spine:
    """The rows to compute: the code of the entity (-1: not known to the store) and the time, per row."""

    codes: Ints
    times: Ints


@dataclass(frozen=True)
class Aggregated:
    """An aggregate per row, the newest event time in its window (NEVER if empty), and what known-at took.

    Attributes:
        without_known_at: how many windows would hold something, had known-at not been looked at.
    """

    cells: Cells
    event: Ints
    without_known_at: int


def aggregate(
    function: str, definition: Definition, log: Log, spine: Spine, *, reach_us: int | None, respect_known_at: bool
) -> Aggregated:
    """Return an aggregate of a feature per row.

    Args:
        function: one of `functions.AGGREGATES`.
        definition: the feature's.
        log: the feature's values, at least all that count for the rows.
        spine: the rows.
        reach_us: values from t - reach to t count, both included; None for all until t.
        respect_known_at: whether what was not known by t is left out.

    Raises:
        Rejected: a window spans too many values.
    """
    low, high = _ranges(log, spine, reach_us)
    longest = int((high - low).max(initial=0))
    if longest > MAX_WINDOW_VALUES:
        reason = f"a window of {definition.name!r} spans {longest} values; {MAX_WINDOW_VALUES} is the most"
        raise Rejected(reason, field="computation", mend="shorten the window")
    reduce, values = _REDUCERS[function], cells(definition.type, log.values)
    missing = values.null()
    held = values.listed()
    results: list[Any] = []
    event = np.full(len(low), NEVER)
    for first, last in _chunks(high - low):
        times = spine.times[first:last] if respect_known_at else None
        row, index = _standing(log, *_expand(low[first:last], high[first:last]), times)
        event[first + row] = log.event[index]  # ascending within a row: the newest is written last
        row, index = row[~missing[index]], index[~missing[index]]
        bounds = np.searchsorted(row, np.arange(last - first + 1)).tolist()
        picked = [held[position] for position in index.tolist()]
        results.extend(reduce(picked[start:stop]) for start, stop in pairwise(bounds))
    kind = definition.type if function in {"last", "first"} else NUMBER
    return Aggregated(cells(kind, results), event, int(np.count_nonzero(high > low)))


def _ranges(log: Log, spine: Spine, reach_us: int | None) -> tuple[Ints, Ints]:
    """Return per row the first position in the log that counts, and the one after the last."""
    codes, entity = np.unique(log.entity, return_inverse=True)
    events, event = np.unique(log.event, return_inverse=True)
    # One number orders by entity, then event time; its factors are below the log's length, so that it fits 64 bits.
    key = entity * (len(events) + 1) + event
    at = np.searchsorted(codes, spine.codes)
    here = np.append(codes, -1)[at] == spine.codes
    base = np.where(here & (spine.codes >= 0), at, 0) * (len(events) + 1)
    since = np.full(len(at), NEVER) if reach_us is None else spine.times - reach_us
    low = np.searchsorted(key, base + np.searchsorted(events, since, side="left"), side="left")
    high = np.searchsorted(key, base + np.searchsorted(events, spine.times, side="right"), side="left")
    nothing = ~here | (spine.codes < 0)
    return np.where(nothing, 0, low), np.where(nothing, 0, np.maximum(low, high))


def _chunks(lengths: Ints) -> Iterator[tuple[int, int]]:
    """Cut the rows so that each part spans a bounded number of values, or is one row."""
    ends = np.cumsum(lengths)
    first = 0
    while first < len(lengths):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + _CHUNK, side="right")))
        yield first, last
        first = last


def _expand(low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """Return for every value of every window the row it counts for and its position in the log."""
    lengths = high - low
    row = np.repeat(np.arange(len(low)), lengths)
    inside = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return row, low[row] + inside


def _standing(log: Log, row: Ints, index: Ints, times: Ints | None) -> tuple[Ints, Ints]:
    """Return those values that count: of each row and event time the last known, by `times` if they are given."""
    if times is not None:
        known = log.known[index] <= times[row]
        row, index = row[known], index[known]
    last = np.ones(len(row), np.bool_)
    last[:-1] = (row[1:] != row[:-1]) | (log.event[index[1:]] != log.event[index[:-1]])
    return row[last], index[last]


def _sum(values: Sequence[float]) -> float | None:
    """Return the sum, exact until it is rounded; none of nothing, and none beyond what a float holds."""
    if not values:
        return None
    try:
        return _finite(math.fsum(values))
    except (OverflowError, ValueError):
        return None


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _mean(values: Sequence[float]) -> float | None:
    total = _sum(values)
    return None if total is None else total / len(values)


def _std(values: Sequence[float]) -> float | None:
    """Return the sample's standard deviation; one value has none.

    The squares are those of the distances from the mean, less what the mean itself was rounded by.
    """
    mean = _mean(values)
    if mean is None or len(values) < 2:
        return None
    if min(values) == max(values):
        return 0.0
    distances = [value - mean for value in values]
    squares, rest = _sum([distance * distance for distance in distances]), _sum(distances)
    if squares is None or rest is None:
        return None
    return math.sqrt(max(0.0, squares - rest * rest / len(values)) / (len(values) - 1))


_REDUCERS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "sum": _sum,
    "count": lambda values: float(len(values)),
    "mean": _mean,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "std": _std,
    "last": lambda values: values[-1] if values else None,
    "first": lambda values: values[0] if values else None,
    "distinct": lambda values: float(len(set(values))),
}

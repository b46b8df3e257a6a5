"""The point-in-time join: for each (entity, time) the value that was true, and known, at that time; pure.

The rule, for a row at time t: of the entity's values with `event_time <= t` and (unless switched off)
`known_at <= t`, the one with the newest event time; among those of one event time the newest known-at; among those
the last written. It counts while `t - event_time <= ttl`: a value that is exactly as old as its ttl still counts. NULL
is a value: a newer NULL hides what was there before.

Times are int64 microseconds, entities any int64 codes. Nothing assumes that known-at grows with event time: late data
and backfills are the normal case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Steps back that are tried one by one before the index for long jumps is built.
_SHORT_STEPS = 2


@dataclass(frozen=True)
class Log:
    """One feature's values as parallel arrays, sorted by entity, event time, known-at and write sequence."""

    entity: Ints
    event: Ints
    known: Ints
    values: NDArray[np.object_]

    @classmethod
    def sorting(cls, entity: Ints, event: Ints, known: Ints, sequence: Ints, values: Sequence[Any]) -> Self:
        """Build a log from values in any order."""
        order = np.lexsort((sequence, known, event, entity))
        held = np.fromiter(values, dtype=np.object_, count=len(values))
        return cls(entity[order], event[order], known[order], held[order])


@dataclass(frozen=True)
class Matches:
    """What a join found.

    Attributes:
        index: per row the position in the log, -1 where there is nothing.
        without_known_at: how many rows would have found something, had known-at not been looked at.
    """

    index: Ints
    without_known_at: int

    @property
    def found(self) -> int:
        """How many rows found something (NULL included)."""
        return int(np.count_nonzero(self.index >= 0))

    def pick(self, values: NDArray[np.object_]) -> list[Any]:
        """Return the value of each row, None where there was none."""
        if not len(values):
            return [None] * len(self.index)
        return [None if position < 0 else values[position] for position in self.index.tolist()]


def join(log: Log, entity: Ints, time: Ints, *, ttl_us: int | None, respect_known_at: bool = True) -> Matches:
    """Match rows with a log.

    Args:
        log: the feature's values; those of other entities do no harm.
        entity: the code of each row, shape (rows,); a code that is not in the log (as -1) finds nothing.
        time: each row's t, shape (rows,).
        ttl_us: how old a value may be, None for ever.
        respect_known_at: whether a value that was not known by t counts.
    """
    start = np.searchsorted(log.entity, entity, side="left")
    newest = _last_until(log.event, start, np.searchsorted(log.entity, entity, side="right"), time)
    newest = _within_ttl(log, newest, time, ttl_us)
    index = newest
    if respect_known_at:
        index = _within_ttl(log, _step_back(log.known, start, newest, time), time, ttl_us)
    return Matches(index, int(np.count_nonzero(newest >= 0)))


def _last_until(event: Ints, start: Ints, stop: Ints, time: Ints) -> Ints:
    """Return per row the last position in [start, stop) whose event time is not after `time`, or -1."""
    low, high = start.astype(np.int64), stop.astype(np.int64)
    active = np.flatnonzero(low < high)
    while len(active):
        middle = (low[active] + high[active]) // 2
        before = event[middle] <= time[active]
        low[active] = np.where(before, middle + 1, low[active])
        high[active] = np.where(before, high[active], middle)
        active = active[low[active] < high[active]]
    return np.where(low > start, low - 1, -1)


def _within_ttl(log: Log, index: Ints, time: Ints, ttl_us: int | None) -> Ints:
    """Drop the matches that are older than the ttl; what lies before them is older still."""
    if ttl_us is None or not len(log.event):
        return index
    return np.where((index >= 0) & (time - log.event[index] <= ttl_us), index, -1)


def _step_back(known: Ints, start: Ints, index: Ints, time: Ints) -> Ints:
    """Move each match back, within its entity, to the nearest value that was known by the row's time."""
    index = index.copy()
    rows = np.flatnonzero(index >= 0)
    for _ in range(_SHORT_STEPS):
        rows = rows[known[index[rows]] > time[rows]]
        if not len(rows):
            return index
        index[rows] -= 1
        gone = index[rows] < start[rows]
        index[rows[gone]] = -1
        rows = rows[~gone]
    _jump_back(known, start, index, time, rows)
    return index


def _jump_back(known: Ints, start: Ints, index: Ints, time: Ints, rows: Ints) -> None:
    """Do the same by doubling steps over range minima, so that a long backfill costs its logarithm; in place."""
    if not len(rows):
        return
    levels = _range_minima(known, int((index[rows] - start[rows]).max()) + 1)
    for level in range(len(levels) - 1, -1, -1):
        width = 1 << level
        at = index[rows]
        inside = at - width + 1 >= start[rows]
        unknown = inside & (levels[level][np.maximum(at, 0)] > time[rows])
        index[rows] = np.where(unknown, at - width, at)
    index[rows[index[rows] < start[rows]]] = -1


def _range_minima(known: Ints, length: int) -> list[Ints]:
    """Return, level by level, the minimum of the 2**level values that end at each position, up to `length`."""
    levels = [known]
    while 1 << len(levels) <= length:
        last = levels[-1]
        half = 1 << (len(levels) - 1)
        wider = last.copy()
        wider[half:] = np.minimum(last[half:], last[:-half])
        levels.append(wider)
    return levels

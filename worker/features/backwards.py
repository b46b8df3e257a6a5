"""From a match back to the nearest earlier value that was known by then; pure, a part of the point-in-time join."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

#: Steps back that are tried one by one before the tree for long jumps is built.
_SHORT_STEPS = 2
_NEVER = np.iinfo(np.int64).max
_ALWAYS = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Limit:
    """What a value must keep to: known by the row's time, written by `bound`; either may be left out."""

    known: Ints | None
    sequence: Ints | None
    bound: int

    def broken(self, index: Ints, time: Ints) -> NDArray[np.bool_]:
        """Tell which positions do not count for rows of these times."""
        if self.sequence is None:
            return self._column()[index] > time
        written = self.sequence[index] > self.bound
        return written if self.known is None else written | (self.known[index] > time)

    def known_from(self, index: Ints) -> Ints:
        """Return from when each position counts."""
        known = np.full(len(index), _ALWAYS) if self.known is None else self.known[index]
        return known if self.sequence is None else np.where(self.sequence[index] > self.bound, _NEVER, known)

    def _column(self) -> Ints:
        if self.known is None:
            raise ValueError("a limit limits something")
        return self.known


def step_back(limit: Limit, start: Ints, index: Ints, time: Ints) -> Ints:
    """Move each match back, within its entity (from `start`), to the nearest value that counts; -1 if there is none."""
    rows = np.flatnonzero(index >= 0)
    for step in range(_SHORT_STEPS):
        rows = rows[limit.broken(index[rows], time[rows])]
        if not len(rows):
            return index
        if not step:
            index = index.copy()
        index[rows] -= 1
        gone = index[rows] < start[rows]
        index[rows[gone]] = -1
        rows = rows[~gone]
    if len(rows):
        index[rows] = _jump_back(limit, start[rows], index[rows], time[rows])
    return index


def _jump_back(limit: Limit, start: Ints, index: Ints, time: Ints) -> Ints:
    """Do the same over a tree of minima of the histories that these rows touch, and of no others."""
    begin, which = np.unique(start, return_inverse=True)
    length = np.zeros(len(begin), np.int64)
    np.maximum.at(length, which, index - start + 1)
    offset = np.cumsum(length) - length
    place = np.repeat(begin - offset, length) + np.arange(int(length.sum()))
    shift = (begin - offset)[which]
    found = _last_at_most(limit.known_from(place), index - shift, time) + shift
    return np.where(found >= start, found, -1)


def _last_at_most(values: Ints, index: Ints, time: Ints) -> Ints:
    """Return per row the last position up to `index` whose value is not above `time`; below 0 if there is none.

    First up the tree past whole blocks that are above, then down into the block that is not.
    """
    levels = _minima(values)
    end, level = index + 1, np.full(len(index), -1)
    active = np.arange(len(index))
    for number, minima in enumerate(levels):
        odd = active[(end[active] >> number) & 1 == 1]
        below = minima[(end[odd] >> number) - 1] <= time[odd]
        level[odd[below]] = number
        end[odd[~below]] -= 1 << number
        active = active[(level[active] < 0) & (end[active] > 0)]
    block = np.where(level >= 0, (end >> np.maximum(level, 0)) - 1, -1)
    for number in range(len(levels) - 1, 0, -1):
        rows = np.flatnonzero(level == number)
        right = 2 * block[rows] + 1
        block[rows] = np.where(levels[number - 1][right] <= time[rows], right, right - 1)
        level[rows] -= 1
    return np.where(level == 0, block, np.iinfo(np.int32).min)


def _minima(values: Ints) -> list[Ints]:
    """Return, level by level, the minimum of each aligned block of 2**level values; what is beyond the end is above."""
    levels = [values]
    while len(levels[-1]) > 1:
        last = levels[-1]
        if len(last) % 2:
            last = np.append(last, _NEVER)
        levels.append(last.reshape(-1, 2).min(axis=1))
    return levels

"""The point-in-time join: for each (entity, time) the value that was true, and known, at that time; pure.

The rule, for a row at time t: of the entity's values with `event_time <= t` and (unless switched off)
`known_at <= t`, the one with the newest event time; among those of one event time the newest known-at; among those
the last written. It counts while `t - event_time <= ttl`: a value that is exactly as old as its ttl still counts. NULL
is a value: a newer NULL hides what was there before.

Times are int64 microseconds, entities any int64 codes. Nothing assumes that known-at grows with event time: late data
and backfills are the normal case. A history may lie in several sorted runs (the log and the segments of a store); what
a join costs grows with the rows asked for and the histories of their entities, not with what lies beside them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from worker.features.backwards import Limit, step_back

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Rows that are matched at a time: their arrays stay in the processor's cache.
_CHUNK_ROWS = 1 << 16
_NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Run:
    """Values of one feature, sorted by entity, event time, known-at and write sequence, with where each entity lies.

    Attributes:
        entities: the codes that occur, ascending, each once.
        starts: where each one's values begin, and at the end how many values there are; one longer than `entities`.
        event, known, sequence: per value.
        bound: the last write sequence that shows, None for all.
    """

    entities: Ints
    starts: Ints
    event: Ints
    known: Ints
    sequence: Ints
    bound: int | None = None

    @classmethod
    def of(cls, entity: Ints, event: Ints, known: Ints, sequence: Ints) -> Self:
        """Build a run from sorted columns."""
        first = np.flatnonzero(np.diff(entity, prepend=entity[:1] - 1)) if len(entity) else np.empty(0, np.int64)
        return cls(entity[first], np.append(first, len(entity)), event, known, sequence)

    def ranges(self, codes: Ints) -> tuple[Ints, Ints]:
        """Return where each code's values begin and end; nothing where there are none."""
        if not len(self.entities):
            return np.zeros(len(codes), np.int64), np.zeros(len(codes), np.int64)
        at = np.minimum(np.searchsorted(self.entities, codes), len(self.entities) - 1)
        hit = self.entities[at] == codes
        return np.where(hit, self.starts[at], 0), np.where(hit, self.starts[at + 1], 0)


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
class Rows:
    """What is asked: (entity code, time) rows, with their order by code; shared by all features of one entity.

    Attributes:
        codes, times: as they were given; a code below 0 is an entity that is not known.
        order: positions, by code.
        ordered_codes, ordered_times: in that order.
        distinct: the codes of known entities, ascending, each once.
    """

    codes: Ints
    times: Ints
    order: Ints
    ordered_codes: Ints
    ordered_times: Ints
    distinct: Ints

    @classmethod
    def of(cls, codes: Ints, times: Ints) -> Self:
        """Order rows once for any number of joins."""
        order = np.argsort(codes, kind="stable")
        placed = codes[order]
        first = np.flatnonzero(np.diff(placed, prepend=placed[:1] - 1) > 0)
        return cls(codes, times, order, placed, times[order], placed[first[placed[first] >= 0]])

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.codes)


@dataclass(frozen=True)
class Matches:
    """What a join found.

    Attributes:
        run: per row the number of the run that holds its value.
        index: per row the position in that run, -1 where there is nothing.
        without_known_at: how many rows would have found something, had known-at not been looked at.
    """

    run: NDArray[np.int16]
    index: Ints
    without_known_at: int

    @property
    def found(self) -> int:
        """How many rows found something (NULL included)."""
        return int(np.count_nonzero(self.index >= 0))

    def pick(self, values: NDArray[np.object_]) -> list[Any]:
        """Return the value of each row out of the only run's values, None where there was none."""
        if not len(values):
            return [None] * len(self.index)
        return [None if position < 0 else values[position] for position in self.index.tolist()]


@dataclass(frozen=True)
class Rule:
    """Which values count.

    Attributes:
        ttl_us: how old a value may be, None for ever.
        respect_known_at: whether a value that was not known by t is left out.
    """

    ttl_us: int | None = None
    respect_known_at: bool = True


def join(log: Log, entity: Ints, time: Ints, *, ttl_us: int | None, respect_known_at: bool = True) -> Matches:
    """Match rows with a log.

    Args:
        log: the feature's values; those of other entities do no harm.
        entity: the code of each row, shape (rows,); a code that is not in the log (as -1) finds nothing.
        time: each row's t, shape (rows,).
        ttl_us: how old a value may be, None for ever.
        respect_known_at: whether a value that was not known by t counts.
    """
    run = Run.of(log.entity, log.event, log.known, np.arange(len(log.event)))
    return match([run], Rows.of(entity, time), Rule(ttl_us, respect_known_at))


def match(runs: Sequence[Run], rows: Rows, rule: Rule) -> Matches:
    """Match rows with the values of one feature, wherever they lie; the answer is in the rows' own order."""
    count = len(rows)
    run, index, without = np.zeros(count, np.int16), np.full(count, -1, np.int64), 0
    for first in range(0, count, _CHUNK_ROWS):
        chosen = slice(first, first + _CHUNK_ROWS)
        codes, times, order = rows.ordered_codes[chosen], rows.ordered_times[chosen], rows.order[chosen]
        best = _Best.of(len(codes))
        for number, found_in in enumerate(runs):
            best.offer(number, found_in, codes, times, rule)
        run[order], index[order] = best.run, best.within(times, best.event, best.index, rule.ttl_us)
        fresh = best.within(times, best.newest, best.found, rule.ttl_us)
        without += int(np.count_nonzero(fresh >= 0))
    return Matches(run, index, without)


@dataclass
class _Best:
    """The best match of each row in the runs seen so far; `newest` and `found` are those without regard to known-at."""

    run: NDArray[np.int16]
    index: Ints
    event: Ints
    known: Ints
    sequence: Ints
    newest: Ints
    found: Ints

    @classmethod
    def of(cls, rows: int) -> Self:
        never = np.full(rows, _NEVER)
        nothing = np.full(rows, -1, np.int64)
        return cls(np.zeros(rows, np.int16), nothing, never, never, never, never, nothing)

    @staticmethod
    def within(times: Ints, event: Ints, index: Ints, ttl_us: int | None) -> Ints:
        """Drop the matches that are older than the ttl; what lies before them is older still."""
        if ttl_us is None:
            return index
        return np.where((index >= 0) & (times - event <= ttl_us), index, -1)

    def offer(self, number: int, run: Run, codes: Ints, times: Ints, rule: Rule) -> None:
        """Take a run's matches where they are better."""
        if not len(run.event):
            return
        start, stop = run.ranges(codes)
        index = last_until(run.event, start, stop, times)
        if run.bound is not None:
            index = step_back(Limit(None, run.sequence, run.bound), start, index, times)
        newest = np.where(index >= 0, run.event[index], _NEVER)
        later = newest > self.newest
        self.newest, self.found = np.where(later, newest, self.newest), np.where(later, index, self.found)
        if rule.respect_known_at:
            limit = Limit(run.known, None if run.bound is None else run.sequence, run.bound or 0)
            index = step_back(limit, start, index, times)
        self._take(number, run, index)

    def _take(self, number: int, run: Run, index: Ints) -> None:
        hit = index >= 0
        event = np.where(hit, run.event[index], _NEVER)
        if number == 0:
            self.index, self.event = index, event
            self.known, self.sequence = run.known[index], run.sequence[index]
            return
        known, sequence = run.known[index], run.sequence[index]
        tie = (event == self.event) & ((known > self.known) | ((known == self.known) & (sequence > self.sequence)))
        better = hit & ((event > self.event) | tie)
        self.run = np.where(better, np.int16(number), self.run)
        self.index, self.event = np.where(better, index, self.index), np.where(better, event, self.event)
        self.known = np.where(better, known, self.known)
        self.sequence = np.where(better, sequence, self.sequence)


def last_until(event: Ints, start: Ints, stop: Ints, time: Ints) -> Ints:
    """Return per row the last position in [start, stop) whose event time is not after `time`, or -1.

    Steps halve from the longest history down; a row takes part from the step that is not longer than its own, so that
    one long history among many short ones costs them nothing.
    """
    length = stop - start
    before = start - 1
    step = 1 << max(int(length.max(initial=0)).bit_length() - 1, 0)
    while step:
        rows = np.flatnonzero(length >= step)
        if 2 * len(rows) > len(start):  # most take part: whole arrays are quicker than choosing
            ahead = before + step
            inside = ahead < stop
            reached = inside & (event[np.where(inside, ahead, 0)] <= time)
            before = np.where(reached, ahead, before)
        elif len(rows):
            ahead = before[rows] + step
            rows, ahead = rows[ahead < stop[rows]], ahead[ahead < stop[rows]]
            reached = event[ahead] <= time[rows]
            before[rows[reached]] = ahead[reached]
        step >>= 1
    return np.where(before >= start, before, -1)

"""Counts of reads per feature and reader, in memory; whoever keeps them takes them from here."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import NamedTuple

from worker.features.port import Reader, Usage

MINUTE = timedelta(minutes=1)


class Tally(NamedTuple):
    """How often one feature was read by one reader within one minute, in values, and when last."""

    feature: str
    reader: Reader
    minute: datetime
    reads: int
    last_read: datetime


class Counts:
    """What was read since the last `take`; safe to share between threads."""

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self._lock = threading.Lock()
        # One count per set of features, not per feature: a read costs one look-up, whatever it reads.
        self._open: dict[tuple[tuple[str, ...], Reader], _Minute] = {}
        self._done: list[Tally] = []

    def add(self, features: Iterable[str], entities: int, reader: Reader, now: datetime) -> None:
        """Count one read of these features for so many entities."""
        key = (tuple(features), reader)
        with self._lock:
            minute = self._open.get(key)
            if minute is None or not minute.begin <= now < minute.end:
                minute = self._turn(key, minute, now)
            minute.reads += entities
            minute.last = now

    def _turn(self, key: tuple[tuple[str, ...], Reader], old: "_Minute | None", now: datetime) -> "_Minute":
        if old is not None:
            self._done += _tallies(*key, old)
        minute = self._open[key] = _Minute(now)
        return minute

    def take(self) -> list[Tally]:
        """Return what was counted, by feature, reader and minute, and begin anew."""
        with self._lock:
            taken, self._open = self._open, {}
            done, self._done = self._done, []
        return _added(done, taken)

    def put_back(self, tallies: Iterable[Tally]) -> None:
        """Count again what was taken and could not be kept."""
        with self._lock:
            self._done += tallies

    def usages(self) -> list[Usage]:
        """Return what was counted and not yet taken, by feature and reader."""
        with self._lock:
            seen = _added(self._done, self._open)
        return summed(Usage(tally.feature, tally.reader, tally.reads, tally.last_read) for tally in seen)


class _Minute:
    """The count of one minute that is still open."""

    __slots__ = ("begin", "end", "last", "reads")

    def __init__(self, now: datetime) -> None:
        self.begin = now.replace(second=0, microsecond=0)
        self.end = self.begin + MINUTE if datetime.max.replace(tzinfo=self.begin.tzinfo) - self.begin > MINUTE else now
        self.reads = 0
        self.last = now


def _tallies(features: tuple[str, ...], reader: Reader, minute: _Minute) -> Iterator[Tally]:
    return (Tally(name, reader, minute.begin, minute.reads, minute.last) for name in dict.fromkeys(features))


def _added(done: Iterable[Tally], still: Mapping[tuple[tuple[str, ...], Reader], _Minute]) -> list[Tally]:
    sums: dict[tuple[str, Reader, datetime], Tally] = {}
    more = (tally for key, minute in still.items() for tally in _tallies(*key, minute))
    for tally in chain(done, more):
        before = sums.get(tally[:3])
        if before is not None:
            last = max(before.last_read, tally.last_read)
            tally = tally._replace(reads=before.reads + tally.reads, last_read=last)  # noqa: PLW2901 - the sum so far
        sums[tally[:3]] = tally
    return sorted(sums.values(), key=lambda tally: (tally.feature, *tally.reader, tally.minute))


def summed(usages: Iterable[Usage]) -> list[Usage]:
    """Add up what is of one feature and reader; by feature, caller and purpose."""
    sums: dict[tuple[str, Reader], tuple[int, datetime]] = {}
    for usage in usages:
        reads, last = sums.get((usage.feature, usage.reader), (0, usage.last_read))
        sums[usage.feature, usage.reader] = (reads + usage.reads, max(last, usage.last_read))
    order = sorted(sums.items())
    return [Usage(name, reader, reads, last) for (name, reader), (reads, last) in order]

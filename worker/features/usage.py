"""Counts of reads per feature and reader, in memory; whoever keeps them takes them from here."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from worker.features.port import Reader


@dataclass(frozen=True)
class Usage:
    """How often one feature was read by one reader, in values, and when last."""

    feature: str
    reader: Reader
    reads: int
    last_read: datetime


class Counts:
    """What was read since the last `take`; safe to share between threads."""

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self._lock = threading.Lock()
        self._reads: dict[tuple[tuple[str, ...], Reader], tuple[int, datetime]] = {}

    def add(self, features: Iterable[str], entities: int, reader: Reader, now: datetime) -> None:
        """Count one read of these features for so many entities."""
        # One entry per set of features, not per feature: a read costs one look-up, whatever it reads.
        key = (tuple(features), reader)
        with self._lock:
            before, _ = self._reads.get(key, (0, now))
            self._reads[key] = (before + entities, now)

    def take(self) -> list[Usage]:
        """Return what was counted, by feature and reader, and begin anew."""
        with self._lock:
            taken, self._reads = self._reads, {}
        sums: dict[tuple[str, Reader], tuple[int, datetime]] = {}
        for (features, reader), (reads, last) in taken.items():
            for name in features:
                before, latest = sums.get((name, reader), (0, last))
                sums[name, reader] = (before + reads, max(latest, last))
        order = sorted(sums.items(), key=lambda item: (item[0][0], item[0][1].caller, item[0][1].purpose))
        return [Usage(name, reader, reads, last) for (name, reader), (reads, last) in order]

"""Retention by age: old values go, but the newest of each entity, and what kept reads rest on is kept for them."""

import sqlite3
from collections.abc import Mapping
from datetime import timedelta

from worker.adapters.features.embedded import history, snapshots
from worker.adapters.features.embedded.database import Database
from worker.adapters.features.embedded.offline import Offline
from worker.adapters.features.embedded.segments import tables
from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.flush import flush
from worker.adapters.features.embedded.segments.merge import Keep, replace, rewritten
from worker.adapters.features.embedded.segments.upkeep import Upkeep
from worker.clock import Clock, to_us
from worker.features.maintenance import Retained

_MICROSECOND = timedelta(microseconds=1)


class Retention:
    """Applies the retention of one store."""

    def __init__(self, database: Database, archive: Archive, upkeep: Upkeep, offline: Offline, clock: Clock) -> None:
        """Let nothing go yet."""
        self._database = database
        self._archive = archive
        self._upkeep = upkeep
        self._offline = offline
        self._clock = clock

    def set(self, age: timedelta | None) -> None:
        """Set from which age on values go, None for never; it applies at each compaction."""
        with self._database.writing() as connection:
            connection.execute("UPDATE upkeep SET retain_us = ?", (None if age is None else age // _MICROSECOND,))

    def get(self) -> timedelta | None:
        """Return the age from which on values go, None for never."""
        with self._database.reading() as connection:
            (age_us,) = connection.execute("SELECT retain_us FROM upkeep").fetchone()
        return None if age_us is None else timedelta(microseconds=age_us)

    def apply(self) -> Retained:
        """Let go what is older, having kept for each kept read what it would miss."""
        age = self.get()
        if age is None:
            return Retained(0, 0)
        since_us = to_us(self._clock() - age)
        with self._upkeep.alone():
            self._upkeep.clean()
            flush(self._database, self._archive, 1)
            kept = self._materialise(since_us)
            return Retained(self._let_go(since_us), kept)

    def expire(self, since: Mapping[int, int], names: frozenset[str]) -> Retained:
        """Let go what is older of some features alone.

        Args:
            since: the code of each -> the event time, in microseconds, before which its values go.
            names: of the same features.
        """
        with self._upkeep.alone():
            self._upkeep.clean()
            flush(self._database, self._archive, 1)
            kept = self._materialise(max(since.values()), names)
            return Retained(sum(self._let_go_of(feature, before) for feature, before in since.items()), kept)

    def _materialise(self, since_us: int, of: frozenset[str] | None = None) -> int:
        """Keep the tables of the reads (with `of`: of one of these) that rest on older values; return how many."""

        def rest_on_older(connection: sqlite3.Connection) -> list[str]:
            found = []
            for name, kept in snapshots.every(connection):
                if of is not None and of.isdisjoint(kept.definitions):
                    continue
                watch = history.Watch()
                if kept.answer is None:
                    self._offline.answered(connection, kept, watch)
                    if watch.oldest_us < since_us:
                        found.append(name)
            return found

        names = self._offline.viewing(rest_on_older)
        for name in names:
            table = self._offline.reproduce(name)
            with self._database.writing() as connection:
                snapshots.materialise(connection, name, table)
        return len(names)

    def _let_go(self, since_us: int) -> int:
        with self._database.reading() as connection:
            features = sorted({one.feature for one in tables.segments(connection)})
        return sum(self._let_go_of(feature, since_us) for feature in features)

    def _let_go_of(self, feature: int, since_us: int) -> int:
        with self._database.reading() as connection:
            inputs = tables.segments(connection, feature)
        if all(one.min_event >= since_us for one in inputs):
            return 0
        output = rewritten(self._archive, inputs, Keep(since_us=since_us))
        count = sum(one.rows for one in inputs) - (output.rows if output else 0)
        with self._database.writing() as connection:
            replace(connection, inputs, output)
            tables.count_off(connection, feature, count)
        self._archive.unlink([one.name for one in inputs])
        return count

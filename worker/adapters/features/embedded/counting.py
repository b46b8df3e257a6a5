"""Reads, counted in memory and kept in the store's file: a read pays for a look-up, a timer pays for the rest."""

import os
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from worker.adapters.features.embedded.database import Database
from worker.clock import Clock, from_us, to_us
from worker.errors import ColonyError
from worker.features.port import Access, FeatureFacts, Reader, Usage
from worker.features.usage import MINUTE, Counts, Tally

log = structlog.get_logger()

#: How long a count may stay in memory.
FLUSH_S = 10.0
#: What nobody announces is dropped after this long.
_KEEP_ACCESSES = timedelta(hours=1)

_ADD = (
    "INSERT INTO usage VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
    " SET reads = reads + excluded.reads, last_us = max(last_us, excluded.last_us)"
)
_ADD_ACCESS = (
    "INSERT INTO accessed (minute_us, feature, reads) VALUES (?, ?, ?)"
    " ON CONFLICT DO UPDATE SET reads = reads + excluded.reads"
)


class Counter:
    """The counts of one process, flushed some seconds after the first of them, and at the end."""

    def __init__(self, database: Database, clock: Clock, flush_s: float = FLUSH_S) -> None:
        """Count nothing yet."""
        self._clock = clock
        self.counts = Counts()
        self._database = database
        self._flush_s = flush_s
        self._timer: threading.Timer | None = None
        self._timed_by = -1

    def add(self, features: tuple[str, ...], entities: int, reader: Reader, now: datetime) -> None:
        """Count one read of these features for so many entities."""
        self.counts.add(features, entities, reader, now)
        if self._timed_by != os.getpid():
            self._start_timer()

    def _start_timer(self) -> None:
        # Marked first: of two threads that come here at once the second has a timer too many, which does no harm.
        self._timed_by = os.getpid()
        self._timer = threading.Timer(self._flush_s, self._flush_in_time)
        self._timer.daemon = True
        self._timer.start()

    def _flush_in_time(self) -> None:
        self._timed_by = -1
        self._tried(self.flush)

    def flush(self) -> None:
        """Keep what was counted so far. Raises TryLater; then nothing is lost, it is counted on."""
        tallies = self.counts.take()
        if not tallies:
            return
        try:
            with self._database.writing() as connection:
                _keep(connection, tallies, to_us(self._clock() - _KEEP_ACCESSES))
        except BaseException:
            self.counts.put_back(tallies)
            raise

    def close(self) -> None:
        """Flush a last time; a store that cannot be written loses these counts, and says so."""
        if self._timer is not None and self._timed_by == os.getpid():
            self._timer.cancel()
        self._tried(self.flush)

    @staticmethod
    def _tried(flush: Callable[[], None]) -> None:
        try:
            flush()
        except ColonyError as error:
            log.warning("usage was not kept", reason=str(error))


def _keep(connection: sqlite3.Connection, tallies: Sequence[Tally], oldest_us: int) -> None:
    known = {name for (name,) in connection.execute("SELECT name FROM feature")}
    per_minute: defaultdict[tuple[int, str], int] = defaultdict(int)
    rows = []
    for tally in tallies:
        if tally.feature in known:  # one that was deleted since stays deleted
            rows.append((tally.feature, tally.reader.caller, tally.reader.purpose, tally.reads, to_us(tally.last_read)))
            per_minute[to_us(tally.minute), tally.feature] += tally.reads
    connection.executemany(_ADD, rows)
    connection.executemany(_ADD_ACCESS, [(*key, reads) for key, reads in per_minute.items()])
    connection.execute("DELETE FROM accessed WHERE minute_us < ?", (oldest_us,))


def kept(connection: sqlite3.Connection) -> list[Usage]:
    """Return the sums of all processes, by feature, caller and purpose."""
    rows = connection.execute("SELECT feature, caller, purpose, reads, last_us FROM usage ORDER BY 1, 2, 3")
    return [Usage(name, Reader(caller, purpose), reads, from_us(last)) for name, caller, purpose, reads, last in rows]


def take_accesses(connection: sqlite3.Connection, until: datetime) -> list[Access]:
    """Return and forget the minutes that ended by `until`, inside the caller's write transaction."""
    last_us = to_us(until - MINUTE)
    query = "SELECT number, feature, minute_us, reads FROM accessed WHERE minute_us <= ? ORDER BY number"
    rows = connection.execute(query, (last_us,)).fetchall()
    if rows:
        connection.execute("DELETE FROM accessed WHERE minute_us <= ?", (last_us,))
    return [Access(number, feature, from_us(minute), reads) for number, feature, minute, reads in rows]


def facts(connection: sqlite3.Connection, ingested: Sequence[str]) -> list[FeatureFacts]:
    """Return what is kept of each of these features."""
    query = "SELECT name, kept, newest_us, written_us FROM feature"
    rows = {name: (count, newest, written) for name, count, newest, written in connection.execute(query)}
    return [FeatureFacts(name, rows[name][0], _moment(rows[name][1]), _moment(rows[name][2])) for name in ingested]


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else from_us(microseconds)

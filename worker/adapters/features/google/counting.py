"""Reads, counted in memory and kept in BigQuery: a timer appends what was counted, and nobody waits for it."""

import os
import secrets
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from worker.adapters.features.google.sql import counting
from worker.adapters.features.google.warehouse import Param, Rows, Warehouse, offered
from worker.clock import Clock, from_us, to_us
from worker.errors import ColonyError
from worker.features.port import Access, FeatureFacts, Reader, Usage
from worker.features.usage import MINUTE, Counts, Tally

log = structlog.get_logger()

#: How long a count may stay in memory: each time costs a query job.
FLUSH_S = 60.0
#: What nobody announces is dropped after this long.
_KEEP_ACCESSES = timedelta(hours=1)


class Counter:
    """The counts of one process, flushed some time after the first of them, and at the end."""

    def __init__(self, warehouse: Warehouse, clock: Clock, flush_s: float = FLUSH_S) -> None:
        """Count nothing yet."""
        self._warehouse = warehouse
        self._clock = clock
        self._flush_s = flush_s
        self.counts = Counts()
        self._timer: threading.Timer | None = None
        self._timed_by = -1
        self._looked: datetime | None = None

    def add(self, features: Sequence[str], entities: int, reader: Reader, now: datetime) -> None:
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
        self._tried()

    def flush(self) -> None:
        """Keep what was counted so far. Raises TryLater; then nothing is lost, it is counted on."""
        tallies = self.counts.take()
        if not tallies:
            return
        try:
            self._keep(tallies)
        except BaseException:
            self.counts.put_back(tallies)
            raise

    def _keep(self, tallies: Sequence[Tally]) -> None:
        name = self._warehouse.name
        columns: dict[str, list[Any]] = {
            "feature": [tally.feature for tally in tallies],
            "caller": [tally.reader.caller for tally in tallies],
            "purpose": [tally.reader.purpose for tally in tallies],
            "minute_us": [to_us(tally.minute) for tally in tallies],
            "reads": [tally.reads for tally in tallies],
            "last_us": [to_us(tally.last_read) for tally in tallies],
        }
        oldest = Param("oldest", "INT64", to_us(self._clock() - _KEEP_ACCESSES))
        with offered(self._warehouse, Rows("counted", counting.FIELDS, columns)) as (source, params):
            self._warehouse.transact(counting.add(name, source), counting.facts(name), [*params, oldest])

    def close(self) -> None:
        """Flush a last time; a store that cannot be written loses these counts, and says so."""
        if self._timer is not None and self._timed_by == os.getpid():
            self._timer.cancel()
        self._tried()

    def _tried(self) -> None:
        try:
            self.flush()
        except ColonyError as error:
            log.warning("usage was not kept", reason=str(error))

    def kept(self) -> list[Usage]:
        """Return the sums of all processes, by feature, caller and purpose."""
        rows = self._warehouse.query(counting.usage(self._warehouse.name))
        return [
            Usage(name, Reader(caller, purpose), reads, from_us(last)) for name, caller, purpose, reads, last in rows
        ]

    def take_accesses(self, until: datetime) -> list[Access]:
        """Return and forget the minutes that ended by `until`."""
        name = self._warehouse.name
        minute = (until - MINUTE).replace(second=0, microsecond=0)
        if minute == self._looked:
            return []  # each look costs a query, and nothing has ended since the last
        self._looked = minute
        params = [Param("until", "INT64", to_us(until - MINUTE))]
        ((waiting,),) = self._warehouse.query(counting.waiting(name), params)
        if not waiting:
            return []
        params += [Param("token", "STRING", secrets.token_hex(16)), Param("now", "INT64", to_us(self._clock()))]
        rows = self._warehouse.transact(counting.take(name), counting.taken(name), params)
        return [Access(number, feature, from_us(minute_us), reads) for number, feature, minute_us, reads in rows]

    def facts(self, ingested: Sequence[str]) -> list[FeatureFacts]:
        """Return what is kept of each of these features."""
        rows = {row[0]: row[1:] for row in self._warehouse.query(counting.facts(self._warehouse.name))}
        found = [(name, *rows.get(name, (0, None, None))) for name in ingested]
        return [FeatureFacts(name, kept, _moment(newest), _moment(written)) for name, kept, newest, written in found]


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else from_us(microseconds)

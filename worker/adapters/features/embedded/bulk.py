"""Columns of values straight into segments: what is new of them, sorted, with the packed online rows brought along."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from worker.adapters.features.embedded import catalogue, packing
from worker.adapters.features.embedded.database import Database
from worker.adapters.features.embedded.known import Known
from worker.adapters.features.embedded.novelty import new_ones, not_older
from worker.adapters.features.embedded.segments import identity, tables
from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.sorting import order_of
from worker.adapters.features.embedded.segments.tables import Segment
from worker.adapters.features.embedded.segments.upkeep import Upkeep
from worker.adapters.features.embedded.segments.writing import Sorted, write_segment
from worker.clock import Clock, to_us
from worker.features.bulk import Batch, Cells, Stored, refused_rows
from worker.features.columns import Ints

_FACTS = (
    "UPDATE feature SET kept = kept + ?1, newest_us = max(ifnull(newest_us, ?2), ?2), written_us = ?3 WHERE code = ?4"
)


class Entities(NamedTuple):
    """The entities of a batch: the code of each row, and the ids that get codes from `first` on."""

    codes: Ints
    first: int
    added: list[str]


class Bulk:
    """Writes batches of columns; safe to share between threads."""

    def __init__(self, database: Database, known: Known, archive: Archive, upkeep: Upkeep, clock: Clock) -> None:
        """Write nothing yet."""
        self._database = database
        self._known = known
        self._archive = archive
        self._upkeep = upkeep
        self._clock = clock

    def write(self, entity: str, batch: Batch) -> Stored:
        """Store rows durably, each whole or not at all; refuse those that only the check of one row can judge."""
        with self._upkeep.alone():
            # Files of a transaction that fails are left for the next upkeep: whether it failed only SQLite knows.
            with self._database.writing() as connection:
                stored = self._store(connection, entity, batch)
            self._upkeep.settle()
            return stored

    def _store(self, connection: sqlite3.Connection, entity: str, batch: Batch) -> Stored:
        now_us = to_us(self._clock())
        seen = catalogue.current(connection, self._known.seen)
        refused = refused_rows(entity, batch, seen.definitions, now_us)
        kept = np.flatnonzero(~refused & (batch.values > 0))
        if not len(kept):
            return Stored(0, refused)
        some = batch if len(kept) == len(batch) else batch.take(kept)
        entities = self._entities(connection, entity, some)
        (sequence,) = connection.execute("SELECT sequence FROM state").fetchone()
        first = sequence
        written: list[tuple[int, Sorted]] = []
        for name, cells in some.features.items():
            code = seen.codes[name]
            offered = _sorted(some, cells, entities, now_us)
            stamped = batch.known_us is None
            new = new_ones(connection, self._archive, code, offered, entities.first, stamped=stamped)
            values = offered if new.all() else offered.take(np.flatnonzero(new))
            if len(values):
                values = _numbered(values, sequence)
                sequence += len(values)
                written.append((code, values))
        newest = [(code, self._newest(connection, code, values, entities.first)) for code, values in written]
        self._keep(connection, written, now_us)
        packing.bring_along(connection, entity, entities.first, entities.added, newest)
        last = (sequence, entities.first - 1 + len(entities.added))
        connection.execute("UPDATE state SET sequence = ?, entity = ?", last)
        return Stored(sequence - first, refused)

    def _entities(self, connection: sqlite3.Connection, entity: str, batch: Batch) -> Entities:
        encoded = batch.rows.ids.dictionary_encode()
        codes = identity.find(connection, self._archive, entity, encoded.dictionary)
        (last,) = connection.execute("SELECT entity FROM state").fetchone()
        missing = np.flatnonzero(codes < 0)
        codes[missing] = last + 1 + np.arange(len(missing))
        added = encoded.dictionary.take(missing).to_pylist()
        return Entities(codes[encoded.indices.to_numpy()], last + 1, added)

    def _newest(self, connection: sqlite3.Connection, code: int, values: Sorted, first_new: int) -> Sorted:
        """Return the last value of each entity, where it may be newer than what the online row holds."""
        last = values.take(np.flatnonzero(np.append(values.entity[1:] != values.entity[:-1], True)))
        old = np.flatnonzero(last.entity < first_new)
        if not len(old):
            return last
        stays = np.ones(len(last), np.bool_)
        stays[old] = not_older(connection, self._archive, code, last.take(old))
        return last.take(np.flatnonzero(stays))

    def _keep(self, connection: sqlite3.Connection, written: Sequence[tuple[int, Sorted]], now_us: int) -> None:
        segments: list[Segment] = []
        for code, values in written:
            segments.append(write_segment(self._archive, code, values))
            connection.execute(_FACTS, (len(values), int(values.event.max()), now_us, code))
        tables.add(connection, segments)


def _sorted(batch: Batch, cells: Cells, entities: Entities, now_us: int) -> Sorted:
    """Return one feature's values in order; their sequence is the number of the row for now."""
    rows = np.flatnonzero(cells.present)
    entity, event = entities.codes[rows], batch.rows.times_us[rows]
    known = np.full(len(rows), now_us) if batch.known_us is None else batch.known_us[rows]
    order = order_of(entity, event, known, rows)
    return Sorted(entity, event, known, rows, cells.column.take(rows)).take(order)


def _numbered(values: Sorted, last: int) -> Sorted:
    """Return values with write sequences after `last`, in the order of their rows."""
    sequence = np.empty(len(values), np.int64)
    sequence[np.argsort(values.sequence, kind="stable")] = last + 1 + np.arange(len(values))
    return Sorted(values.entity, values.event, values.known, sequence, values.value)

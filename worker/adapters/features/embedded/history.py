"""The embedded store's history as arrays: log and segments of one transaction's view, up to one write sequence."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from worker.adapters.features.embedded.segments import identity, tables
from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.run import EVER, Part, log_part, segment_part
from worker.features.columns import Bools, Column
from worker.features.join import Ints, Log, Matches, Rows, Rule, match
from worker.features.port import Definition
from worker.features.training import Found

_EVERYTHING = 2**62


class Watch:
    """What a read touches: of one entity, and of what age.

    Attributes:
        touched: whether the entity was asked for.
        oldest_us: the oldest event time among the values that were answered with.
    """

    def __init__(self, entity: int = -1) -> None:
        """Watch the entity of a code, -1 for none."""
        self._entity = entity
        self.touched = False
        self.oldest_us = _EVERYTHING

    def see(self, entities: Ints, events: Ints) -> None:
        """Note who was asked for, ascending or not, and the event times of what was found."""
        self.touched = self.touched or bool(np.isin(self._entity, entities))
        if len(events):
            self.oldest_us = min(self.oldest_us, int(events.min()))


class StoredHistory:
    """Implements worker.features.training.History over a connection inside a read transaction.

    Attributes:
        watch: is told what is read, if there is one.
    """

    watch: Watch | None = None

    def __init__(self, connection: sqlite3.Connection, archive: Archive, codes: Mapping[str, int], bound: int) -> None:
        """Take feature name -> code, and the last write sequence that may show."""
        self._connection = connection
        self._archive = archive
        self._features = codes
        self._bound = bound

    def codes(self, entity: str, ids: Any) -> Ints:
        """Return the code of each id (an Arrow array of large_string), -1 where the store has never seen it."""
        return identity.find(self._connection, self._archive, entity, ids)

    def find(self, definition: Definition, rows: Rows, *, respect_known_at: bool) -> Found:
        """Return the feature's value of each row."""
        ttl_us = None if definition.ttl is None else definition.ttl // timedelta(microseconds=1)
        parts = self.parts(definition, rows.distinct)
        matches = match([part.run for part in parts], rows, Rule(ttl_us, respect_known_at))
        column = _picked(definition.type, parts, matches)
        if self.watch is not None:
            self.watch.see(rows.distinct, _events(parts, matches))
        return Found(column, matches.without_known_at, matches.found)

    def parts(self, definition: Definition, codes: Ints | None, span: tuple[int, int] = EVER) -> list[Part]:
        """Return where a feature's values lie; only parts that may have some of these entities, None for all."""
        feature = self._features[definition.name]
        parts = [
            segment_part(self._archive.file(segment.name), self._bound)
            for segment in tables.segments(self._connection, feature)
            if codes is None or (len(codes) and codes[0] <= segment.max_entity and codes[-1] >= segment.min_entity)
        ]
        log = log_part(self._connection, feature, definition.type, self._bound, codes, span)
        return parts if log is None else [*parts, log]

    def log(self, definition: Definition, codes: Ints, *, since_us: int | None, until_us: int) -> Log:
        """Return the feature's values of these entities with event time in [since, until]."""
        first = -_EVERYTHING if since_us is None else since_us
        wanted = np.unique(codes)
        pieces = []
        for part in self.parts(definition, wanted, (first, until_us)):
            start, stop = part.run.ranges(wanted)
            pieces.append(_cut(part, _places(start, stop), first, until_us + 1))
        log = _log(pieces)
        if self.watch is not None:
            self.watch.see(wanted, log.event)
        return log

    def window(self, definition: Definition, start_us: int, end_us: int) -> tuple[Log, Sequence[str]]:
        """Return all values with event time in [start, end), and the entity id of each."""
        pieces = []
        for part in self.parts(definition, None):
            part.run.ranges(part.run.entities)  # checks what is about to be read
            places = np.flatnonzero((part.run.event >= start_us) & (part.run.event < end_us))
            pieces.append(_cut(part, places, start_us, end_us))
        log = _log(pieces)
        if self.watch is not None:
            self.watch.see(log.entity, log.event)
        return log, self._ids(log.entity)

    def _ids(self, codes: Ints) -> list[str]:
        unique, which = np.unique(codes, return_inverse=True)
        query = "SELECT id FROM entity WHERE code = ?"
        names = [self._connection.execute(query, (code,)).fetchone()[0] for code in unique.tolist()]
        return [names[at] for at in which.tolist()]


def _places(start: Ints, stop: Ints) -> Ints:
    length = stop - start
    offset = np.cumsum(length) - length
    return np.repeat(start - offset, length) + np.arange(int(length.sum()))


def _cut(part: Part, places: Ints, first_us: int, end_us: int) -> tuple[Ints, Ints, Ints, Ints, Column]:
    """Return the values at some positions, those in time and sequence: entity, event, known, sequence, value."""
    run = part.run
    event, sequence = run.event[places], run.sequence[places]
    shown: Bools = (event >= first_us) & (event < end_us)
    if run.bound is not None:
        shown &= sequence <= run.bound
    places = places[shown]
    entity = run.entities[np.searchsorted(run.starts, places, side="right") - 1]
    return entity, event[shown], run.known[places], sequence[shown], part.values.take(places)


def _log(pieces: Sequence[tuple[Ints, Ints, Ints, Ints, Column]]) -> Log:
    if not pieces:
        nothing = np.empty(0, np.int64)
        return Log(nothing, nothing, nothing, np.empty(0, np.object_))
    entity, event, known, sequence = (np.concatenate([piece[key] for piece in pieces]) for key in range(4))
    values = [value for piece in pieces for value in piece[4].tolist()]
    return Log.sorting(entity, event, known, sequence, values)


def _picked(feature_type: str, parts: Sequence[Part], matches: Matches) -> Column:
    """Return the value of each row from the run that holds it."""
    if len(parts) == 1 and feature_type == "number":
        column = parts[0].values.take(matches.index)
        return Column(feature_type, column.values, column.valid & (matches.index >= 0))
    column = Column.empty(feature_type, len(matches.index))
    for number, part in enumerate(parts):
        rows = np.flatnonzero((matches.run == number) & (matches.index >= 0))
        if len(rows):
            found = part.values.take(matches.index[rows])
            column.values[rows], column.valid[rows] = found.values, found.valid
    return column


def _events(parts: Sequence[Part], matches: Matches) -> Ints:
    found = [np.empty(0, np.int64)]
    for number, part in enumerate(parts):
        index = matches.index[(matches.run == number) & (matches.index >= 0)]
        found.append(part.run.event[index])
    return np.concatenate(found)


def count_labels(
    connection: sqlite3.Connection, archive: Archive, feature: int, known_after_us: int, known_by_us: int
) -> int:
    """Count observations (entity, event time) that got a value known in (after, by] and were true by then."""
    query = (
        "SELECT DISTINCT entity, event_us FROM entry"
        " WHERE feature = ? AND event_us <= ? AND known_us > ? AND known_us <= ? AND value IS NOT NULL"
    )
    rows = connection.execute(query, (feature, known_by_us, known_after_us, known_by_us)).fetchall()
    found = [np.array(rows, dtype=np.int64).reshape(-1, 2)]
    for segment in tables.segments(connection, feature):
        if segment.max_known > known_after_us and segment.min_known <= known_by_us:
            part = segment_part(archive.file(segment.name), _EVERYTHING)
            found.append(_observations(part, known_after_us, known_by_us))
    every = np.concatenate(found)
    return len(np.unique(every, axis=0)) if len(found) > 1 else len(every)


def _observations(part: Part, after_us: int, by_us: int) -> Ints:
    run = part.run
    run.ranges(run.entities)  # checks what is about to be read
    places = np.flatnonzero((run.event <= by_us) & (run.known > after_us) & (run.known <= by_us))
    places = places[part.values.take(places).valid]
    entity = run.entities[np.searchsorted(run.starts, places, side="right") - 1]
    return np.stack([entity, run.event[places]], axis=1)

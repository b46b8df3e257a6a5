"""One value at a time out of the segments: what a write asks before it stores what may be there already."""

import sqlite3
from typing import Any

import numpy as np

from worker.adapters.features.embedded.encoding import to_column
from worker.adapters.features.embedded.segments import tables
from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.run import Part, segment_part
from worker.adapters.features.embedded.segments.tables import Segment
from worker.adapters.features.embedded.writes import Standing
from worker.features.columns import Column

_EVERYTHING = 2**62


class Shelf:
    """Implements worker.adapters.features.embedded.writes.Archive inside one write transaction."""

    def __init__(self, connection: sqlite3.Connection, archive: Archive) -> None:
        """Look nothing up yet."""
        self._connection = connection
        self._archive = archive
        self._segments: dict[int, list[Segment]] = {}
        self._parts: dict[str, Part] = {}

    def standing(self, feature: int, entity: int, event_us: int) -> Standing | None:
        """Return what stands for one event time: of several the newest known, then the last written."""
        found = []
        for part, _, last in self._places(feature, entity, event_us):
            (value,) = _stored(part.values.take(np.array([last - 1])))
            found.append(Standing(int(part.run.known[last - 1]), int(part.run.sequence[last - 1]), value))
        return max(found, key=lambda one: one[:2], default=None)

    def holds(self, feature: int, entity: int, event_us: int, known_us: int, value: Any) -> bool:
        """Tell whether this very observation is in a segment; `value` is as SQLite stores it."""
        for part, first, last in self._places(feature, entity, event_us):
            same = first + np.flatnonzero(part.run.known[first:last] == known_us)
            if value in _stored(part.values.take(same)):
                return True
        return False

    def _places(self, feature: int, entity: int, event_us: int) -> list[tuple[Part, int, int]]:
        """Return, segment by segment, from where to where the values of one event time lie, if there are any."""
        if feature not in self._segments:
            self._segments[feature] = tables.segments(self._connection, feature)
        found = []
        for segment in self._segments[feature]:
            if (
                segment.min_entity <= entity <= segment.max_entity
                and segment.min_event <= event_us <= segment.max_event
            ):
                part = self._part(segment)
                first, last = _range(part, entity, event_us)
                if first < last:
                    found.append((part, first, last))
        return found

    def _part(self, segment: Segment) -> Part:
        part = self._parts.get(segment.name)
        if part is None:
            part = self._parts[segment.name] = segment_part(self._archive.file(segment.name), _EVERYTHING)
            part.run.ranges(part.run.entities)  # checks all of it, once in the life of the map
        return part


def _range(part: Part, entity: int, event_us: int) -> tuple[int, int]:
    run = part.run
    at = int(run.entities.searchsorted(entity))
    if at == len(run.entities) or run.entities[at] != entity:
        return 0, 0
    start, stop = int(run.starts[at]), int(run.starts[at + 1])
    events = run.event[start:stop]
    return start + int(events.searchsorted(event_us)), start + int(events.searchsorted(event_us, side="right"))


def _stored(column: Column) -> list[Any]:
    return [to_column(value) for value in column.tolist()]

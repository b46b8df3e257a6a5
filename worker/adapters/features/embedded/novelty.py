"""Which of many sorted values are new: not in the log, not in a segment, and not twice among themselves."""

import sqlite3
from typing import Any

import numpy as np

from worker.adapters.features.embedded.segments import tables
from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.run import Part, log_part, segment_part
from worker.adapters.features.embedded.segments.writing import Sorted
from worker.features.columns import Bools, Column, Ints
from worker.features.join import last_until

_EVERYTHING = 2**62


def new_ones(
    connection: sqlite3.Connection,
    archive: Archive,
    feature: int,
    values: Sorted,
    first_new: int,
    *,
    stamped: bool,
) -> Bools:
    """Tell which values are new.

    Args:
        connection: in the write transaction.
        archive: where the segments are.
        feature: the feature's code.
        values: what is offered, sorted.
        first_new: entities from this code on are new themselves: nothing is stored of them.
        stamped: known-at is the time of writing: a value is new unless it stands already for its event time. Of several
            for one event time the last counts. Otherwise a value is new unless the very same observation is there.
    """
    new = _last_of_each(values) if stamped else _unlike_before(values)
    rows = np.flatnonzero(new & (values.entity < first_new))
    if not len(rows):
        return new
    parts = _parts(connection, archive, feature, values.take(rows))
    if stamped:
        new[rows] = _not_standing(parts, values.take(rows))
    else:
        for part in parts:
            new[rows] &= ~_held(part, values.take(rows))
    return new


def _parts(connection: sqlite3.Connection, archive: Archive, feature: int, values: Sorted) -> list[Part]:
    """Return the parts that could hold any of these values."""
    low, high = int(values.event.min()), int(values.event.max())
    first, last = int(values.entity[0]), int(values.entity[-1])
    parts = [
        segment_part(archive.file(segment.name), _EVERYTHING)
        for segment in tables.segments(connection, feature)
        if segment.min_event <= high and segment.max_event >= low
        if segment.min_entity <= last and segment.max_entity >= first
    ]
    log = log_part(connection, feature, values.value.type, _EVERYTHING, _distinct(values.entity))
    return parts if log is None else [*parts, log]


def not_older(connection: sqlite3.Connection, archive: Archive, feature: int, values: Sorted) -> Bools:
    """Tell which values, one for each entity, are of no older event than all that is stored of their entity."""
    newest = np.full(len(values), np.iinfo(np.int64).min)
    parts = [segment_part(archive.file(one.name), _EVERYTHING) for one in tables.segments(connection, feature)]
    log = log_part(connection, feature, values.value.type, _EVERYTHING, values.entity)
    for part in parts if log is None else [*parts, log]:
        start, stop = part.run.ranges(values.entity)
        rows = np.flatnonzero(stop > start)
        newest[rows] = np.maximum(newest[rows], part.run.event[stop[rows] - 1])
    fresh: Bools = values.event >= newest
    return fresh


def _distinct(entity: Ints) -> Ints:
    first = np.flatnonzero(np.append(True, entity[1:] != entity[:-1]))
    distinct: Ints = entity[first]
    return distinct


def _same_moment(values: Sorted) -> Bools:
    """Tell of each value but the first whether it has entity and event time in common with the one before."""
    same: Bools = (values.entity[1:] == values.entity[:-1]) & (values.event[1:] == values.event[:-1])
    return same


def _last_of_each(values: Sorted) -> Bools:
    new = np.ones(len(values), np.bool_)
    new[:-1] = ~_same_moment(values)
    return new


def _unlike_before(values: Sorted) -> Bools:
    """Tell which values are not among those before them of the same entity, event time and known-at."""
    new = np.ones(len(values), np.bool_)
    tied = np.append(False, _same_moment(values) & (values.known[1:] == values.known[:-1]))
    group: list[Any] = []
    begun = -1
    column = values.value
    for row in np.flatnonzero(tied).tolist():
        if row - 1 != begun:
            group = [_at(column, row - 1)]
        begun = row
        value = _at(column, row)
        if value in group:
            new[row] = False
        else:
            group.append(value)
    return new


def _at(column: Column, row: int) -> Any:
    return column.values[row] if column.valid[row] else None


def _newest_at(part: Part, values: Sorted) -> tuple[Ints, Ints]:
    """Return per value where its entity begins, and the last position with its very event time, or -1."""
    start, stop = part.run.ranges(values.entity)
    index = last_until(part.run.event, start, stop, values.event)
    return start, np.where((index >= 0) & (part.run.event[index] == values.event), index, -1)


def _held(part: Part, values: Sorted) -> Bools:
    """Tell which very observations are in a part: back from the newest of the event time to older known-at."""
    held = np.zeros(len(values), np.bool_)
    if not len(part.run.event):
        return held
    start, index = _newest_at(part, values)
    rows = np.flatnonzero(index >= 0)
    while len(rows):
        at = index[rows]
        rows = rows[(at >= start[rows]) & (part.run.event[at] == values.event[rows])]
        rows = rows[part.run.known[index[rows]] >= values.known[rows]]
        at = index[rows]
        exact = np.flatnonzero(part.run.known[at] == values.known[rows])
        held[rows[exact]] |= _equal(part.values.take(at[exact]), values.value.take(rows[exact]))
        rows = rows[~held[rows]]
        index[rows] -= 1
        rows = rows[index[rows] >= 0]
    return held


def _equal(left: Column, right: Column) -> Bools:
    both = left.valid & right.valid
    if left.values.dtype != np.object_:
        equal: Bools = (both & (left.values == right.values)) | (~left.valid & ~right.valid)
        return equal
    pairs = zip(left.tolist(), right.tolist(), strict=True)
    return np.fromiter((one == other for one, other in pairs), np.bool_, len(left.valid))


def _not_standing(parts: list[Part], values: Sorted) -> Bools:
    """Tell which values do not stand already: newest known, then last written, of all parts."""
    known = np.full(len(values), np.iinfo(np.int64).min)
    sequence = known.copy()
    found = np.zeros(len(values), np.bool_)
    standing = Column.empty(values.value.type, len(values))
    for part in parts:
        if not len(part.run.event):
            continue
        _, index = _newest_at(part, values)
        rows = np.flatnonzero(index >= 0)
        later, last = part.run.known[index[rows]], part.run.sequence[index[rows]]
        better = (later > known[rows]) | ((later == known[rows]) & (last > sequence[rows]))
        rows = rows[better]
        known[rows], sequence[rows] = later[better], last[better]
        held = part.values.take(index[rows])
        standing.values[rows], standing.valid[rows], found[rows] = held.values, held.valid, True
    return ~(found & _equal(standing, values.value))

"""Moves values from the log into segments: files first, then one transaction that lists them and deletes the rows."""

import sqlite3

import numpy as np

from worker.adapters.features.embedded.database import Database
from worker.adapters.features.embedded.segments import tables
from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.run import part_of
from worker.adapters.features.embedded.segments.values import Held
from worker.adapters.features.embedded.segments.writing import Sorted, write_segment
from worker.features.columns import Ints

#: Rows that are moved by one transaction: others may write in between.
BATCH_ROWS = 100_000

_ROWS = (
    "SELECT entity, event_us, known_us, sequence, value FROM entry WHERE feature = ?"
    " ORDER BY entity, event_us, known_us, sequence LIMIT ?"
)
_DELETE = (
    "DELETE FROM entry WHERE feature = ? AND sequence <= ? AND (entity, event_us, known_us, sequence) <= (?, ?, ?, ?)"
)
_FEATURES = (
    "SELECT f.code, json_extract(d.body, '$.type') FROM feature AS f JOIN definition AS d ON d.name = f.name"
    " WHERE d.version = (SELECT max(version) FROM definition WHERE name = f.name)"
)


def flush(database: Database, archive: Archive, least: int) -> int:
    """Move each feature's values that are in the log, if it has `least` of them, and return how many went.

    The caller holds the upkeep lock. What is written meanwhile stays in the log.
    """
    with database.reading() as connection:
        features = connection.execute(_FEATURES).fetchall()
    moved = 0
    for feature, feature_type in features:
        while count := _flush_some(database, archive, feature, feature_type, least):
            moved += count
            if count < BATCH_ROWS:
                break
    return moved


def _flush_some(database: Database, archive: Archive, feature: int, feature_type: str, least: int) -> int:
    with database.reading() as connection:
        rows = connection.execute(_ROWS, (feature, BATCH_ROWS)).fetchall()
    if len(rows) < max(least, 1):
        return 0
    run, values = part_of(feature_type, rows)
    if not isinstance(values, Held):
        raise TypeError("the log's values are in memory")
    entity: Ints = np.repeat(run.entities, np.diff(run.starts))
    segment = write_segment(archive, feature, Sorted(entity, run.event, run.known, run.sequence, values.column))
    last = rows[-1][:4]
    with database.writing() as connection:
        if _move(connection, segment, last):
            return len(rows)
    archive.unlink([segment.name])
    return 0


def _move(connection: sqlite3.Connection, segment: tables.Segment, last: tuple[int, ...]) -> bool:
    """List the segment in place of its rows; not if they are no longer what was read (the feature was deleted)."""
    defined = connection.execute("SELECT 1 FROM feature WHERE code = ?", (segment.feature,)).fetchone()
    if defined is None:
        return False
    deleted = connection.execute(_DELETE, (segment.feature, segment.max_sequence, *last)).rowcount
    if deleted != segment.rows:
        raise RuntimeError(f"{deleted} rows of the log became a segment of {segment.rows}")
    tables.add(connection, [segment])
    return True

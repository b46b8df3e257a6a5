"""How much of each feature the store keeps, and where."""

import sqlite3

import numpy as np

from worker.adapters.features.embedded.segments import tables
from worker.adapters.features.embedded.segments.archive import Archive
from worker.clock import from_us
from worker.features.maintenance import FeatureStats

_LOG = "SELECT count(*), ifnull(sum(48 + length(CAST(ifnull(value, '') AS BLOB))), 0) FROM entry WHERE feature = ?"


def stats(connection: sqlite3.Connection, archive: Archive) -> list[FeatureStats]:
    """Return the figures of each ingested feature, by name."""
    rows = connection.execute(
        "SELECT f.name, f.code, f.kept, f.newest_us, f.written_us FROM feature AS f"
        " WHERE EXISTS (SELECT 1 FROM definition AS d WHERE d.name = f.name"
        " AND json_extract(d.body, '$.source') = 'ingested') ORDER BY f.name"
    ).fetchall()
    return [_of(connection, archive, name, code, kept, newest, written) for name, code, kept, newest, written in rows]


def _of(  # noqa: PLR0913, PLR0917 - the columns of a row
    connection: sqlite3.Connection,
    archive: Archive,
    name: str,
    code: int,
    kept: int,
    newest: int | None,
    written: int | None,
) -> FeatureStats:
    segments = tables.segments(connection, code)
    in_log, log_bytes = connection.execute(_LOG, (code,)).fetchone()
    entities = [np.array(connection.execute("SELECT DISTINCT entity FROM entry WHERE feature = ?", (code,)).fetchall())]
    entities += [archive.file(segment.name).column("entities") for segment in segments]
    return FeatureStats(
        feature=name,
        values=kept,
        entities=len(np.unique(np.concatenate([codes.reshape(-1) for codes in entities]))),
        bytes=int(log_bytes) + sum(segment.bytes for segment in segments),
        segments=len(segments),
        in_log=in_log,
        newest_event=None if newest is None else from_us(newest),
        last_written=None if written is None else from_us(written),
    )

"""Reads everything the store keeps and names exactly what is not what was written."""

import sqlite3
from collections.abc import Iterator

from worker.adapters.features.embedded.encoding import unpack
from worker.adapters.features.embedded.segments import tables
from worker.adapters.features.embedded.segments.archive import Archive, Gone
from worker.adapters.features.embedded.segments.format import Damaged, File
from worker.features.maintenance import Loss

_NAMES = "SELECT code, name FROM feature"


def losses(connection: sqlite3.Connection, archive: Archive) -> Iterator[Loss]:
    """Yield what is damaged or missing: in the SQLite file, in the segments, in the files of ids."""
    yield from _database(connection)
    names = dict(connection.execute(_NAMES).fetchall())
    for segment in tables.segments(connection):
        problem = _problem(archive, segment.name, segment.rows)
        if problem:
            feature = names.get(segment.feature, f"a deleted feature ({segment.feature})")
            yield Loss(feature, segment.name, segment.rows, segment.entities, problem)
    for entity, name, rows in connection.execute("SELECT entity, name, rows FROM identity").fetchall():
        problem = _problem(archive, name, rows)
        if problem:
            yield Loss(f"ids of {entity}", name, rows, rows, f"{problem}; `colony features compact` makes it anew")
    yield from _counts(connection)


def _problem(archive: Archive, name: str, rows: int) -> str:
    """Return what is wrong with a file, empty for nothing."""
    try:
        file = File(archive.path(name))
        bad = file.verify()
    except FileNotFoundError:
        return "the file is missing"
    except (Damaged, Gone) as error:
        return error.reason if isinstance(error, Damaged) else "the file is missing"
    if bad:
        return f"the columns {', '.join(bad)} are not what was written"
    return "" if file.facts["rows"] == rows else f"the file has {file.facts['rows']} rows"


def _database(connection: sqlite3.Connection) -> Iterator[Loss]:
    for (text,) in connection.execute("PRAGMA integrity_check(20)").fetchall():
        if text != "ok":
            yield Loss("", "features.sqlite", 0, 0, text)
    for code, entity_id, blob in connection.execute("SELECT code, id, online FROM entity"):
        try:
            unpack(blob)
        except ValueError as error:
            yield Loss("", "features.sqlite", 1, 1, f"the online row {code} of {entity_id!r} cannot be read: {error}")


def _counts(connection: sqlite3.Connection) -> Iterator[Loss]:
    query = (
        "SELECT name, kept, (SELECT count(*) FROM entry WHERE feature = code)"
        " + (SELECT ifnull(sum(rows), 0) FROM segment WHERE feature = code) FROM feature"
    )
    for name, kept, found in connection.execute(query).fetchall():
        if kept != found:
            yield Loss(name, "features.sqlite", abs(kept - found), 0, f"{kept} values were kept, {found} are there")

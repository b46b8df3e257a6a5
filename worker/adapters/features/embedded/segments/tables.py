"""Which segments there are: rows of the SQLite file, so that a transaction sees log and segments of one moment."""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

#: `segment` and `identity` list the files that belong to the store; any other file beside them is a stray.
#: `identity` files find codes by id; entities with codes above `upkeep.indexed` are only in the table `entity`.
#: `upkeep.retain_us` is the age from which values go; `traces`: forgotten values may still stand in free pages.
#: A snapshot's `answer` holds its rows where retention has taken what they were read from; `lost` says why it cannot
#: be read again.
STATEMENTS = (
    """CREATE TABLE segment (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, feature INTEGER NOT NULL,
    rows INTEGER NOT NULL, entities INTEGER NOT NULL, bytes INTEGER NOT NULL,
    min_entity INTEGER NOT NULL, max_entity INTEGER NOT NULL, min_event INTEGER NOT NULL, max_event INTEGER NOT NULL,
    min_known INTEGER NOT NULL, max_known INTEGER NOT NULL, max_sequence INTEGER NOT NULL
)""",
    "CREATE INDEX segment_feature ON segment (feature)",
    """CREATE TABLE identity (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, entity TEXT NOT NULL, rows INTEGER NOT NULL
)""",
    """CREATE TABLE upkeep (
    one INTEGER PRIMARY KEY CHECK (one = 1), indexed INTEGER NOT NULL, retain_us INTEGER, traces INTEGER NOT NULL
)""",
    "INSERT INTO upkeep VALUES (1, 0, NULL, 0)",
    "ALTER TABLE snapshot ADD COLUMN answer BLOB",
    "ALTER TABLE snapshot ADD COLUMN lost TEXT",
)

_FIELDS = (
    "name, feature, rows, entities, bytes, min_entity, max_entity, min_event, max_event, min_known, max_known,"
    " max_sequence"
)


class Segment(NamedTuple):
    """One file of one feature's values."""

    name: str
    feature: int
    rows: int
    entities: int
    bytes: int
    min_entity: int
    max_entity: int
    min_event: int
    max_event: int
    min_known: int
    max_known: int
    max_sequence: int


def create(connection: sqlite3.Connection) -> None:
    """Add the tables; a step of the schema."""
    for statement in STATEMENTS:
        connection.execute(statement)


def segments(connection: sqlite3.Connection, feature: int | None = None) -> list[Segment]:
    """Return the segments of one feature, or all, oldest first."""
    where, parameters = ("", ()) if feature is None else (" WHERE feature = ?", (feature,))
    rows = connection.execute(f"SELECT {_FIELDS} FROM segment{where} ORDER BY number", parameters)  # noqa: S608 - constants
    return [Segment(*row) for row in rows]


def add(connection: sqlite3.Connection, added: Iterable[Segment]) -> None:
    """List segments whose files are on the disk."""
    connection.executemany(f"INSERT INTO segment ({_FIELDS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", added)  # noqa: S608 - constants


def remove(connection: sqlite3.Connection, names: Iterable[str]) -> int:
    """Strike segments out; return how many were listed."""
    return connection.executemany("DELETE FROM segment WHERE name = ?", [(name,) for name in names]).rowcount


def count_off(connection: sqlite3.Connection, feature: int, gone: int) -> None:
    """Bring a feature's figures in line after some of its values went."""
    newest = (
        "SELECT max(newest) FROM (SELECT max(event_us) AS newest FROM entry WHERE feature = ?2"
        " UNION ALL SELECT max(max_event) FROM segment WHERE feature = ?2)"
    )
    query = f"UPDATE feature SET kept = kept - ?1, newest_us = ({newest}) WHERE code = ?2"  # noqa: S608 - constants
    connection.execute(query, (gone, feature))


def names(connection: sqlite3.Connection) -> set[str]:
    """Return the names of all files that belong to the store."""
    query = "SELECT name FROM segment UNION ALL SELECT name FROM identity"
    return {name for (name,) in connection.execute(query)}

"""The tables of the embedded store, as steps: a store of an older version is brought up to date when it is opened."""

import sqlite3
from collections.abc import Callable

from worker.adapters.features.embedded import encoding
from worker.adapters.features.embedded.segments import tables

#: `entry` is the log: clustered by feature, entity and event time, so that a point-in-time read touches what it needs.
#: `entity.online` packs the newest value of each feature of one entity: an online read is one seek.
#: `state` has one row: the last write sequence, the last entity code, and a number that grows with each definition.
_FIRST = """
CREATE TABLE definition (
    name TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (name, version)
) WITHOUT ROWID;
CREATE TABLE feature (code INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE entity (
    code INTEGER PRIMARY KEY, entity TEXT NOT NULL, id TEXT NOT NULL, online BLOB NOT NULL, UNIQUE (entity, id)
);
CREATE TABLE entry (
    feature INTEGER NOT NULL, entity INTEGER NOT NULL, event_us INTEGER NOT NULL, known_us INTEGER NOT NULL,
    sequence INTEGER NOT NULL, value, PRIMARY KEY (feature, entity, event_us, known_us, sequence)
) WITHOUT ROWID;
CREATE TABLE snapshot (
    id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, created_us INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1), sequence INTEGER NOT NULL, entity INTEGER NOT NULL, epoch INTEGER NOT NULL
);
CREATE TABLE probe (one INTEGER PRIMARY KEY CHECK (one = 1), token TEXT NOT NULL);
INSERT INTO state VALUES (1, 0, 0, 0);
"""

#: `feature` counts what is kept of each. `retired` remembers deleted features for ever: a code or a version is never
#: given twice; `cleared` says that log and online rows hold nothing of it any more, `compacted` that no segment does.
#: `usage` sums reads; `accessed` holds what of them has not been announced yet, per minute.
_USAGE_AND_DELETION = """
ALTER TABLE feature ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
ALTER TABLE feature ADD COLUMN newest_us INTEGER;
ALTER TABLE feature ADD COLUMN written_us INTEGER;
UPDATE feature SET kept = (SELECT count(*) FROM entry WHERE feature = code),
    newest_us = (SELECT max(event_us) FROM entry WHERE feature = code),
    written_us = (SELECT max(known_us) FROM entry WHERE feature = code);
CREATE TABLE retired (
    code INTEGER PRIMARY KEY, name TEXT NOT NULL, entity TEXT NOT NULL, version INTEGER NOT NULL,
    deleted_us INTEGER NOT NULL, cleared INTEGER NOT NULL DEFAULT 0, compacted INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE usage (
    feature TEXT NOT NULL, caller TEXT NOT NULL, purpose TEXT NOT NULL, reads INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    PRIMARY KEY (feature, caller, purpose)
) WITHOUT ROWID;
CREATE TABLE accessed (
    number INTEGER PRIMARY KEY AUTOINCREMENT, minute_us INTEGER NOT NULL, feature TEXT NOT NULL,
    reads INTEGER NOT NULL, UNIQUE (minute_us, feature)
);
"""


def _first(connection: sqlite3.Connection) -> None:
    _run(connection, _FIRST)


def _usage_and_deletion(connection: sqlite3.Connection) -> None:
    _run(connection, _USAGE_AND_DELETION)
    # The packed rows held plain numbers before they held what a read answers with.
    last = 0
    while rows := connection.execute(
        "SELECT code, online FROM entity WHERE code > ? ORDER BY code LIMIT 1000", (last,)
    ).fetchall():
        packed = [(encoding.repacked(online), code) for code, online in rows]
        connection.executemany("UPDATE entity SET online = ? WHERE code = ?", packed)
        last = rows[-1][0]


def _run(connection: sqlite3.Connection, script: str) -> None:
    # Statement by statement: `executescript` would commit the transaction that all steps share.
    for statement in script.split(";"):
        if statement.strip():
            connection.execute(statement)


STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (_first, _usage_and_deletion, tables.create)
VERSION = len(STEPS)


def upgrade(connection: sqlite3.Connection, version: int) -> None:
    """Bring a store of `version` (0: an empty file) up to date, all or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in STEPS[version:]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise

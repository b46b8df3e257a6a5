"""What deleted rows leave in the free pages of the SQLite file and in its write-ahead log: wiped by writing it anew."""

import sqlite3

from worker.adapters.features.embedded.database import Database, faults
from worker.errors import TryLater

_LEFT = "the values are forgotten, but old pages of the file still hold them; `colony features compact` wipes those"


def wipe(database: Database) -> None:
    """Write the SQLite file anew if forgotten values may still stand in free pages; the upkeep lock is held.

    Raises:
        TryLater: a reader holds the old pages for too long; they are wiped by the next compaction.
    """
    with database.reading() as connection:
        (left,) = connection.execute("SELECT traces FROM upkeep").fetchone()
    if not left:
        return
    connection = database.borrow()
    try:
        with faults(database.path):
            connection.execute("VACUUM")
            (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except TryLater as error:
        connection.close()
        raise TryLater(f"{_LEFT}: {error}") from error
    database.give_back(connection)
    if busy:
        raise TryLater(f"{_LEFT}: a reader still holds them")
    with database.writing() as writing:
        _clear(writing)


def _clear(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE upkeep SET traces = 0")

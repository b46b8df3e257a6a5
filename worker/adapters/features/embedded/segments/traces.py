"""What deleted rows leave in the free pages of the SQLite file and in its write-ahead log: wiped by writing it anew."""

import sqlite3

from worker.adapters.features.embedded.database import Database, faults
from worker.errors import TryLater


def wipe(database: Database, *, always: bool = False) -> None:
    """Write the SQLite file anew if forgotten values may still stand in free pages; the upkeep lock is held.

    Raises:
        TryLater: a reader holds the old pages for too long; they are wiped by the next compaction.
    """
    with database.reading() as connection:
        (left,) = connection.execute("SELECT traces FROM upkeep").fetchone()
    if not left and not always:
        return
    connection = database.borrow()
    try:
        with faults(database.path):
            connection.execute("VACUUM")
            (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except BaseException:
        connection.close()
        raise
    database.give_back(connection)
    if busy:
        raise TryLater("a reader still holds the old pages of the feature store; `colony features compact` wipes them")
    with database.writing() as writing:
        _clear(writing)


def _clear(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE upkeep SET traces = 0")

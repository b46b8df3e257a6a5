"""How a feature is deleted: it is gone for everyone at once, and its values are cleared out in small transactions."""

import sqlite3

from worker.adapters.features.embedded.database import Database
from worker.adapters.features.embedded.encoding import pack, unpack
from worker.features.port import Definition

#: Per transaction: few enough that writers wait for milliseconds only.
_ENTRIES, _ROWS = 20_000, 2_000


def retire(connection: sqlite3.Connection, definition: Definition, code: int, now_us: int) -> None:
    """Take a feature out of the definitions, inside the caller's write transaction; its values are cleared later."""
    retired = (code, definition.name, definition.entity, definition.version, now_us)
    connection.execute("INSERT INTO retired (code, name, entity, version, deleted_us) VALUES (?, ?, ?, ?, ?)", retired)
    connection.execute("DELETE FROM feature WHERE code = ?", (code,))
    for table in ("usage", "accessed"):
        connection.execute(f"DELETE FROM {table} WHERE feature = ?", (definition.name,))  # noqa: S608 - two constants
    connection.execute("DELETE FROM definition WHERE name = ?", (definition.name,))
    connection.execute("UPDATE state SET epoch = epoch + 1")


def clear(database: Database) -> int:
    """Clear what deleted features left in the log and the online rows, and return how many were cleared.

    It may be interrupted at any point, and started again by anyone.
    """
    with database.reading() as connection:
        left = connection.execute("SELECT code, entity FROM retired WHERE cleared = 0").fetchall()
    for code, entity in left:
        while _clear_entries(database, code):
            pass
        after: int | None = 0
        while after is not None:
            after = _clear_rows(database, code, entity, after)
        with database.writing() as connection:
            connection.execute("UPDATE retired SET cleared = 1 WHERE code = ?", (code,))
    return len(left)


def _clear_entries(database: Database, code: int) -> bool:
    """Delete the log's next entries of a feature; return whether there were any."""
    with database.writing() as connection:
        query = "SELECT entity FROM entry WHERE feature = ? ORDER BY entity LIMIT 1 OFFSET ?"
        last = connection.execute(query, (code, _ENTRIES)).fetchone()
        until = last[0] if last else 2**62
        found = connection.execute("DELETE FROM entry WHERE feature = ? AND entity <= ?", (code, until))
        return found.rowcount > 0


def _clear_rows(database: Database, code: int, entity: str, after: int) -> int | None:
    """Take a feature out of the next online rows; return where to go on, None at the end."""
    with database.writing() as connection:
        query = "SELECT code, online FROM entity WHERE code > ? AND entity = ? ORDER BY code LIMIT ?"
        rows = connection.execute(query, (after, entity, _ROWS)).fetchall()
        changed = []
        for row, blob in rows:
            online = unpack(blob)
            if online.pop(code, None) is not None:
                changed.append((pack(online), row))
        connection.executemany("UPDATE entity SET online = ? WHERE code = ?", changed)
    return int(rows[-1][0]) if len(rows) == _ROWS else None

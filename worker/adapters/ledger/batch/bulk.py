"""Many rows into one table by the driver's executemany: what SQLAlchemy does for each row costs more than the row."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from worker.adapters.ledger.words import Words


def insert_many(
    connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]], *, sqlite: bool, then: str = ""
) -> None:
    """Insert rows that all have the keys of the first; `then` is what follows in the statement (ON CONFLICT …)."""
    if not rows:
        return
    names = tuple(rows[0])
    words = [name for name in names if isinstance(table.c[name].type, Words)]
    store: Callable[[str | None], str | None] = _storable
    for row in rows:
        for name in words:
            row[name] = store(row[name])
    statement = f"{_statement(table.name, names, sqlite=sqlite)} {then}"
    connection.exec_driver_sql(statement, [tuple(row.values()) for row in rows])


_WORDS = Words()


def _storable(text: str | None) -> str | None:
    if text is None or (text.isascii() and "\x00" not in text):
        return text
    return _WORDS.process_bind_param(text, None)


@cache
def _statement(table: str, names: tuple[str, ...], *, sqlite: bool) -> str:
    marks = ",".join("?" if sqlite else "%s" for _ in names)
    return f"INSERT INTO {table} ({','.join(names)}) VALUES ({marks})"  # noqa: S608 - names of ours

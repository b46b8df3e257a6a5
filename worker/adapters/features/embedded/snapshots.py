"""Kept training reads: what was asked, of which definitions, up to which write, so that it can be read again."""

import sqlite3
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from worker.adapters.features.embedded import frames
from worker.clock import from_us
from worker.errors import NotFound
from worker.features.naming import first_name, table_name
from worker.features.port import LabelWindow, TrainingRequest
from worker.features.request import request_body
from worker.features.spine import Spine
from worker.features.training import Table

#: What a body begins with since spines are columns; before, a body was compressed as a whole.
_COLUMNS = b"COLUMNS1"


@dataclass(frozen=True)
class Snapshot:
    """A kept read.

    Attributes:
        definitions: feature -> version.
        answer: the table itself, where what it was read from is no longer kept.
        lost: why it cannot be read again; empty while it can.
        name_of: how the tables of its time are named.
    """

    request: TrainingRequest
    definitions: dict[str, int]
    sequence: int
    answer: bytes | None
    lost: str
    name_of: Callable[[TrainingRequest, Table], str]


def keep(
    connection: sqlite3.Connection, name: str, request: TrainingRequest, table: Table, sequence: int, now_us: int
) -> None:
    """Keep a read under its name, with the rows if the caller gave them; one that is kept already stays as it is."""
    spine = frames.pack_spine(table.spine) if request.spine is not None else None
    head = msgspec.msgpack.encode([request_body(request), table.definitions, spine])
    row = (name, sequence, now_us, _COLUMNS + head)
    query = "INSERT INTO snapshot (id, sequence, created_us, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
    connection.execute(query, row)


def kept(connection: sqlite3.Connection, name: str) -> bool:
    """Tell whether a read of this name is kept and can be read again."""
    return connection.execute("SELECT 1 FROM snapshot WHERE id = ?", (name,)).fetchone() is not None


def find(connection: sqlite3.Connection, name: str) -> Snapshot:
    """Return a kept read. Raises NotFound."""
    row = connection.execute("SELECT sequence, body, answer, lost FROM snapshot WHERE id = ?", (name,)).fetchone()
    if row is None:
        raise NotFound(f"there is no snapshot {name[:140]!r}")
    return decoded(*row)


def every(connection: sqlite3.Connection) -> Iterator[tuple[str, Snapshot]]:
    """Yield the kept reads that can be read again, by name."""
    names = connection.execute("SELECT id FROM snapshot WHERE lost IS NULL ORDER BY id").fetchall()
    for (name,) in names:
        yield name, find(connection, name)


def materialise(connection: sqlite3.Connection, name: str, table: Table) -> None:
    """Keep a read's table itself: what it was read from may go."""
    connection.execute("UPDATE snapshot SET answer = ? WHERE id = ?", (frames.pack_table(table), name))


def lose(connection: sqlite3.Connection, name: str, kept: Snapshot, reason: str) -> None:
    """Strike out a read's rows and values, and keep why."""
    body = _COLUMNS + msgspec.msgpack.encode([request_body(kept.request), kept.definitions, None])
    query = "UPDATE snapshot SET body = ?, answer = NULL, lost = ? WHERE id = ?"
    connection.execute(query, (body, reason, name))


def decoded(sequence: int, body: bytes, answer: bytes | None, lost: str | None) -> Snapshot:
    """Return a kept read from its row."""
    if body.startswith(_COLUMNS):
        asked, definitions, packed = msgspec.msgpack.decode(body[len(_COLUMNS) :])
        spine = None if packed is None else frames.unpack_spine(packed)
        return Snapshot(_request(asked, spine), definitions, sequence, answer, lost or "", table_name)
    asked, definitions, rows = msgspec.msgpack.decode(zlib.decompress(body))
    spine = None if rows is None else Spine.of(rows[0], np.array(rows[1], dtype=np.int64))
    return Snapshot(_request(asked, spine), definitions, sequence, answer, lost or "", first_name)


def _request(body: dict[str, Any], spine: Spine | None) -> TrainingRequest:
    window = body["label"]
    return TrainingRequest(
        entity=body["entity"],
        features=tuple(body["features"]),
        entities=body["entities"],
        spine=spine,
        label=None if window is None else LabelWindow(window[0], from_us(window[1]), from_us(window[2])),
        respect_known_at=body["respectKnownAt"],
    )

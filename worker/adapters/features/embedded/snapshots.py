"""Kept training reads: what was asked, of which definitions, up to which write, so that it can be read again."""

import sqlite3
import zlib
from dataclasses import dataclass
from typing import Any

import msgspec

from worker.clock import from_us
from worker.errors import NotFound
from worker.features.port import LabelWindow, TrainingRequest
from worker.features.request import request_body
from worker.features.training import Table


@dataclass(frozen=True)
class Snapshot:
    """A kept read; `definitions` is feature -> version."""

    request: TrainingRequest
    definitions: dict[str, int]
    sequence: int


def keep(
    connection: sqlite3.Connection, name: str, request: TrainingRequest, table: Table, sequence: int, now_us: int
) -> None:
    """Keep a read under its name, with the rows if the caller gave them; one that is kept already stays as it is."""
    spine = [table.entity_ids, table.times_us] if request.spine is not None else None
    body = msgspec.msgpack.encode([request_body(request), table.definitions, spine])
    row = (name, sequence, now_us, zlib.compress(body, 1))
    connection.execute("INSERT INTO snapshot VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", row)


def kept(connection: sqlite3.Connection, name: str) -> bool:
    """Tell whether a read of this name is kept."""
    return connection.execute("SELECT 1 FROM snapshot WHERE id = ?", (name,)).fetchone() is not None


def find(connection: sqlite3.Connection, name: str) -> Snapshot:
    """Return a kept read. Raises NotFound."""
    row = connection.execute("SELECT sequence, body FROM snapshot WHERE id = ?", (name,)).fetchone()
    if row is None:
        raise NotFound(f"there is no snapshot {name[:140]!r}")
    body, definitions, spine = msgspec.msgpack.decode(zlib.decompress(row[1]))
    return Snapshot(_request(body, spine), definitions, row[0])


def _request(body: dict[str, Any], spine: list[list[Any]] | None) -> TrainingRequest:
    rows = None
    if spine is not None:
        rows = tuple((entity_id, from_us(time)) for entity_id, time in zip(*spine, strict=True))
    window = body["label"]
    return TrainingRequest(
        entity=body["entity"],
        features=tuple(body["features"]),
        entities=body["entities"],
        spine=rows,
        label=None if window is None else LabelWindow(window[0], from_us(window[1]), from_us(window[2])),
        respect_known_at=body["respectKnownAt"],
    )

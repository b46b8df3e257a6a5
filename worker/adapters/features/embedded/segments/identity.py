"""From entity ids to codes, many at once: sorted hashes in mapped files, and the table for those that are newer."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.format import File, Writer
from worker.features.columns import heap, int_array

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

#: How many rows of the table cost as much to read in order as one id costs to seek.
_ROWS_PER_SEEK = 4
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SEED = np.uint64(0xC2B2AE3D27D4EB4F)
_SHIFT = np.uint64(29)
_COLUMNS = {"hash": "<u8", "code": "<i8"}


def hashes(ids: Any) -> Words:
    """Return a 64-bit hash of each text in an Arrow large_string array; equal texts have equal hashes, anywhere."""
    offset, content = heap(ids)
    length = np.diff(offset)
    hashed = (length.astype(np.uint64) + _SEED) * _MULTIPLIER
    padded = np.append(content, np.zeros(8, np.uint8))
    words: Words = np.ndarray((len(content) + 1,), "<u8", padded, strides=(1,))
    rows = np.flatnonzero(length > 0)
    for first in range(0, int(length.max(initial=0)), 8):
        rows = rows[length[rows] > first]
        left = np.minimum(length[rows] - first, 8).astype(np.uint64)
        word = words[offset[rows] + first] << ((np.uint64(8) - left) * np.uint64(8))
        mixed = (hashed[rows] ^ word) * _MULTIPLIER
        hashed[rows] = mixed ^ (mixed >> _SHIFT)
    return hashed


def write(path: Path, ids: Any, codes: Ints) -> int:
    """Write a file of ids (Arrow large_string) and their codes; return its bytes."""
    hashed = hashes(ids)
    order = np.argsort(hashed, kind="stable")
    offset, content = heap(ids.take(order))
    lengths = {name: (kind, len(codes)) for name, kind in _COLUMNS.items()}
    writer = Writer(path, lengths | {"offset": ("<i8", len(offset)), "heap": ("|u1", len(content))})
    try:
        for name, column in (("hash", hashed[order]), ("code", codes[order]), ("offset", offset), ("heap", content)):
            writer.append(name, column)
        return writer.finish({"kind": "identity", "rows": len(codes)})
    except BaseException:
        writer.abandon()
        raise


def read(file: File) -> tuple[Any, Ints]:
    """Return the ids of a file as an Arrow large_string array over the map, and their codes; all of it is checked."""
    import pyarrow as pa

    file.check("hash", "code", "offset", "heap")
    offset, content = pa.py_buffer(file.column("offset")), pa.py_buffer(file.column("heap"))
    codes = file.column("code")
    return pa.LargeStringArray.from_buffers(len(codes), offset, content), codes


def search(file: File, ids: Any, hashed: Words) -> Ints:
    """Return the code of each id, -1 where this file does not have it."""
    from pyarrow import compute as pc

    held, codes = read(file)
    column = file.column("hash")
    found = np.full(len(hashed), -1, np.int64)
    at = np.searchsorted(column, hashed)
    rows = np.arange(len(hashed))
    while True:
        inside = at < len(column)
        rows, at = rows[inside], at[inside]
        same = column[at] == hashed[rows]
        rows, at = rows[same], at[same]
        if not len(rows):
            return found
        equal = pc.equal(ids.take(int_array(rows)), held.take(int_array(at))).to_numpy(zero_copy_only=False)
        found[rows[equal]] = codes[at[equal]]
        rows, at = rows[~equal], at[~equal] + 1  # two texts of one hash lie beside each other


def find(connection: sqlite3.Connection, archive: Archive, entity: str, ids: Any) -> Ints:
    """Return the code of each id of one kind of entity, -1 where the store has never seen it.

    Args:
        connection: in a read transaction.
        archive: where the files are.
        entity: the kind.
        ids: an Arrow array of large_string.
    """
    codes = np.full(len(ids), -1, np.int64)
    names = [name for (name,) in connection.execute("SELECT name FROM identity WHERE entity = ?", (entity,))]
    hashed = hashes(ids) if names else np.empty(0, np.uint64)
    missing = np.arange(len(ids))
    for name in names:
        if len(missing):
            whole = len(missing) == len(ids)
            some = (ids, hashed) if whole else (ids.take(int_array(missing)), hashed[missing])
            codes[missing] = search(archive.file(name), *some)
            missing = missing[codes[missing] < 0]
    if len(missing):
        codes[missing] = _in_table(connection, entity, ids.take(int_array(missing)).to_pylist())
    return codes


def _in_table(connection: sqlite3.Connection, entity: str, ids: list[str]) -> Ints:
    (newer,) = connection.execute("SELECT entity - indexed FROM state, upkeep").fetchone()
    if newer <= 0:
        return np.full(len(ids), -1, np.int64)
    if newer > _ROWS_PER_SEEK * len(ids):
        query = "SELECT id, code FROM entity WHERE entity = ? AND id IN (SELECT value FROM json_each(?))"
        found = dict(connection.execute(query, (entity, json.dumps(list(dict.fromkeys(ids))))))
    else:
        query = "SELECT id, code FROM entity, upkeep WHERE code > indexed AND entity = ?"
        found = dict(connection.execute(query, (entity,)))
    return np.fromiter((found.get(entity_id, -1) for entity_id in ids), np.int64, len(ids))

"""The packed online rows of many entities, brought up to what a bulk write has added."""

import json
import sqlite3
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from worker.adapters.features.embedded.encoding import EMPTY_ONLINE, Held, held, pack
from worker.adapters.features.embedded.segments.writing import Sorted
from worker.clock import from_us
from worker.features.columns import Ints
from worker.features.port import Status

_SOME = "SELECT code, online FROM entity WHERE code IN (SELECT value FROM json_each(?))"
_SECOND = 1_000_000

#: What `encoding.pack` writes for a number, with every part in MessagePack's longest form, so that all are as wide.
_NUMBER = np.dtype(
    [
        ("feature", "S1"),
        ("code", ">i4"),
        ("array", "S1"),
        ("status", f"S{1 + len(Status.PRESENT)}"),
        ("float", "S1"),
        ("value", ">f8"),
        ("timestamp", "S3"),
        ("nanoseconds", ">u4"),
        ("seconds", ">i8"),
        ("int", "S1"),
        ("known", ">i8"),
    ]
)
_FIXED = {
    "feature": b"\xd2",
    "array": b"\x94",
    "status": bytes([0xA0 | len(Status.PRESENT)]) + Status.PRESENT.encode(),
    "float": b"\xcb",
    "timestamp": b"\xc7\x0c\xff",
    "int": b"\xd3",
}
_SHORT_MAP = 16
_RAW = msgspec.msgpack.Decoder(dict[int, msgspec.Raw]).decode
_HELD = msgspec.msgpack.Decoder(Held).decode


def bring_along(
    connection: sqlite3.Connection, entity: str, first: int, added: Sequence[str], written: Sequence[tuple[int, Sorted]]
) -> None:
    """Put the newest of what was written into the online rows, inside the write transaction.

    Args:
        connection: in the write transaction.
        entity: the kind of entity.
        first: the code of the first new entity.
        added: the ids of the new entities, in the order of their codes.
        written: feature code -> the last value of each entity of what was new of it.
    """
    newest = dict(_packed(written))
    rows = [
        (first + number, entity, entity_id, newest.get(first + number, EMPTY_ONLINE))
        for number, entity_id in enumerate(added)
    ]
    connection.executemany("INSERT INTO entity VALUES (?, ?, ?, ?)", rows)
    old = sorted(code for code in newest if code < first)
    stored = connection.execute(_SOME, (json.dumps(old),)).fetchall() if old else []
    changed = []
    for code, blob in stored:
        online = _RAW(blob)
        if _update(online, _RAW(newest[code])):
            changed.append((pack(online), code))
    connection.executemany("UPDATE entity SET online = ? WHERE code = ?", changed)


def _packed(written: Sequence[tuple[int, Sorted]]) -> Iterator[tuple[int, bytes]]:
    """Yield each entity's code with the newest of its values, packed."""
    numbers: list[NDArray[np.uint8]] = []
    owners: list[Ints] = []
    others: defaultdict[int, list[bytes]] = defaultdict(list)
    for feature, values in written:
        plain = values.value.valid & (values.value.type == "number")
        some = values.take(np.flatnonzero(plain))
        numbers.append(_numbers(feature, some))
        owners.append(some.entity)
        for code, item in _others(feature, values.take(np.flatnonzero(~plain))):
            others[code].append(item)
    owner = np.concatenate(owners) if owners else np.empty(0, np.int64)
    order = np.argsort(owner, kind="stable")
    content = np.concatenate(numbers)[order].tobytes() if numbers else b""
    codes, starts = np.unique(owner[order], return_index=True)
    ends = np.append(starts, len(owner))[1:]
    for code, start, end in zip(codes.tolist(), starts.tolist(), ends.tolist(), strict=True):
        further = others.pop(code, [])
        entries = content[start * _NUMBER.itemsize : end * _NUMBER.itemsize]
        yield code, b"".join((_head(end - start + len(further)), entries, *further))
    for code, further in others.items():
        yield code, b"".join((_head(len(further)), *further))


def _numbers(feature: int, values: Sorted) -> NDArray[np.uint8]:
    """Return numbers as the bytes of map entries, from the feature's code to what `encoding.held` makes of a value."""
    packed = np.zeros(len(values), _NUMBER)
    for name, constant in _FIXED.items():
        packed[name] = constant
    packed["code"], packed["value"], packed["known"] = feature, values.value.values, values.known
    packed["seconds"] = values.event // _SECOND
    packed["nanoseconds"] = values.event % _SECOND * 1000
    return packed.view(np.uint8).reshape(len(values), _NUMBER.itemsize)


def _others(feature: int, values: Sorted) -> Iterator[tuple[int, bytes]]:
    columns = (values.entity.tolist(), values.event.tolist(), values.known.tolist(), values.value.tolist())
    for code, event, known, value in zip(*columns, strict=True):
        yield code, pack({feature: held(value, from_us(event), known)})[1:]


def _head(entries: int) -> bytes:
    return bytes([0x80 | entries]) if entries < _SHORT_MAP else struct.pack(">BH", 0xDE, entries)


def _update(online: dict[int, msgspec.Raw], newer: dict[int, msgspec.Raw]) -> bool:
    """Put the newer values in, and tell whether anything changed; the others are not even decoded."""
    changed = False
    for feature, raw in newer.items():
        before = online.get(feature)
        if before is None or _time_of(raw) >= _time_of(before):
            online[feature] = raw
            changed = True
    return changed


def _time_of(raw: msgspec.Raw) -> tuple[datetime, int]:
    held_ = _HELD(raw)
    return held_.event_time, held_.known_us

"""How values lie in SQLite columns and in the packed online row of an entity."""

from array import array
from collections.abc import Sequence
from typing import Any

import msgspec

from worker.features.port import Value

#: feature code -> (event time, known-at, value), the newest of each feature of one entity.
Online = dict[int, tuple[int, int, Value]]

_ONLINE = msgspec.msgpack.Decoder(dict[int, tuple[int, int, Any]])
EMPTY_ONLINE = msgspec.msgpack.encode({})


def to_column(value: Value) -> Any:
    """Return a checked value as SQLite stores it: a vector as the bytes of its 64-bit floats."""
    if isinstance(value, list):
        return array("d", value).tobytes()
    return value


def from_columns(feature_type: str, values: Sequence[Any]) -> list[Value]:
    """Return stored values of one feature as they were written."""
    if feature_type == "boolean":
        return [None if value is None else bool(value) for value in values]
    if feature_type == "vector":
        return [None if value is None else array("d", value).tolist() for value in values]
    return list(values)


def pack(online: Online) -> bytes:
    """Return an entity's newest values as one blob."""
    return msgspec.msgpack.encode(online)


def unpack(blob: bytes) -> Online:
    """Return the newest values from the blob."""
    return _ONLINE.decode(blob)

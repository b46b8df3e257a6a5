"""How values lie in SQLite columns and in the packed online row of an entity."""

from array import array
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from worker.clock import from_us
from worker.features.port import Reading, Status, Value


class Held(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The newest value of a feature as an entity's packed row holds it.

    It begins like a `Reading`, so that an online read decodes the row straight into its answer.
    """

    status: Status
    value: Any
    event_time: datetime
    known_us: int


#: feature code -> the newest value of each feature of one entity.
Online = dict[int, Held]

_HELD = msgspec.msgpack.Decoder(Online)
_READINGS = msgspec.msgpack.Decoder(dict[int, Reading])
_PLAIN = msgspec.msgpack.Decoder(dict[int, tuple[int, int, Any]])
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


def held(value: Value, event_time: datetime, known_us: int) -> Held:
    """Return a value as it is kept in the packed row; `event_time` is in UTC."""
    return Held(Status.NULL if value is None else Status.PRESENT, value, event_time, known_us)


#: Returns an entity's newest values as one blob.
pack = msgspec.msgpack.Encoder().encode
#: Returns the newest values from the blob, for a write.
unpack = _HELD.decode
#: Returns the newest values from the blob, for a read.
readings = _READINGS.decode


def repacked(blob: bytes) -> bytes:
    """Return the blob of a store of version 1 (code -> event time, known-at, value) in today's form."""
    old = _PLAIN.decode(blob)
    return pack({code: held(value, from_us(event_us), known_us) for code, (event_us, known_us, value) in old.items()})

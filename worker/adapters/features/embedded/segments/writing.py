"""Writes segments: sorted columns of one feature into one file, at once or piece by piece."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.format import Writer, sync_directory
from worker.adapters.features.embedded.segments.run import KEYS
from worker.adapters.features.embedded.segments.tables import Segment
from worker.adapters.features.embedded.segments.values import columns_of
from worker.features.columns import Column, Ints

_DTYPES = {"number": "<f8", "boolean": "|u1"}


@dataclass(frozen=True)
class Sorted:
    """Values of one feature, sorted by entity, event time, known-at and write sequence."""

    entity: Ints
    event: Ints
    known: Ints
    sequence: Ints
    value: Column

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.entity)

    def take(self, order: Any) -> "Sorted":
        """Return some of them, or all in another order."""
        entity, event, known = self.entity[order], self.event[order], self.known[order]
        return Sorted(entity, event, known, self.sequence[order], self.value.take(order))


def new_name(feature: int) -> str:
    """Return a name that no file has."""
    return f"{feature}-{secrets.token_hex(8)}.seg"


def write_segment(archive: Archive, feature: int, values: Sorted) -> Segment:
    """Write values into a file that is on the disk when this returns; it counts once it is listed."""
    first = np.flatnonzero(np.diff(values.entity, prepend=values.entity[:1] - 1))
    packed = columns_of(values.value)
    heap = len(packed["heap"]) if "heap" in packed else 0
    piece = PieceWriter(archive, feature, values.value.type, len(values), len(first), heap)
    try:
        piece.append(values, packed)
        return piece.finish()
    except BaseException:
        piece.abandon()
        raise


@dataclass
class _Seen:
    """What a segment's row says of its content."""

    low: dict[str, int] = field(default_factory=dict)
    high: dict[str, int] = field(default_factory=dict)

    def see(self, name: str, column: Ints) -> None:
        """Look at some more items of a column."""
        self.low[name] = min(self.low.get(name, 2**63), int(column.min()))
        self.high[name] = max(self.high.get(name, -(2**63)), int(column.max()))


class PieceWriter:
    """Writes one segment from pieces that follow each other in order and share no entity."""

    def __init__(self, archive: Archive, feature: int, feature_type: str, rows: int, entities: int, heap: int) -> None:
        """Make room for a known number of values, entities and, for texts and vectors, bytes."""
        archive.directory.mkdir(exist_ok=True)
        sync_directory(archive.directory.parent)
        self._archive, self._feature, self._type = archive, feature, feature_type
        self._name = new_name(feature)
        lengths = {"entities": ("<i8", entities), "starts": ("<i8", entities + 1)}
        lengths |= dict.fromkeys(KEYS, ("<i8", rows))
        if feature_type in _DTYPES:
            lengths["value"] = (_DTYPES[feature_type], rows)
        else:
            lengths |= {"kind": ("|u1", rows), "offset": ("<i8", rows + 1), "heap": ("|u1", heap)}
        self._writer = Writer(archive.path(self._name), lengths)
        self._rows = self._entities = self._heap = 0
        self._seen = _Seen()

    def append(self, values: Sorted, packed: Mapping[str, NDArray[Any]] | None = None) -> None:
        """Write the next piece."""
        packed = columns_of(values.value) if packed is None else packed
        first = np.flatnonzero(np.diff(values.entity, prepend=values.entity[:1] - 1))
        self._writer.append("entities", values.entity[first])
        self._writer.append("starts", first + self._rows)
        for name in KEYS:
            self._writer.append(name, getattr(values, name))
        for name in ("entity", *KEYS):
            self._seen.see(name, getattr(values, name))
        self._append_values(packed)
        self._rows += len(values)
        self._entities += len(first)

    def _append_values(self, packed: Mapping[str, NDArray[Any]]) -> None:
        for name, column in packed.items():
            if name == "offset":
                self._writer.append(name, column[:-1] + self._heap)
            else:
                self._writer.append(name, column)
        if "heap" in packed:
            self._heap += len(packed["heap"])

    def finish(self) -> Segment:
        """Put the file in its place."""
        self._writer.append("starts", np.array([self._rows]))
        if self._type not in _DTYPES:
            self._writer.append("offset", np.array([self._heap]))
        low, high = self._seen.low, self._seen.high
        facts = {
            "kind": "segment",
            "feature": self._feature,
            "type": self._type,
            "rows": self._rows,
            "entities": self._entities,
            "low": low,
            "high": high,
            "max_sequence": high["sequence"],
        }
        size = self._writer.finish(facts)
        return Segment(
            self._name,
            self._feature,
            self._rows,
            self._entities,
            size,
            low["entity"],
            high["entity"],
            low["event"],
            high["event"],
            low["known"],
            high["known"],
            high["sequence"],
        )

    def abandon(self) -> None:
        """Remove what was written so far."""
        self._writer.abandon()

"""How the values of one feature lie in a segment, by type: what goes into its columns and how it comes out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from worker.adapters.features.embedded.segments.format import File
from worker.features.columns import Column, objects

Ints = NDArray[np.int64]

#: What stands for NULL among booleans, and in a heap's column of kinds.
_NULL = 2


class Values(Protocol):
    """The values of a run, by position."""

    def take(self, index: Ints) -> Column:
        """Return the values at some positions."""
        ...


@dataclass(frozen=True)
class Held:
    """Values in memory, as a column."""

    column: Column

    def take(self, index: Ints) -> Column:
        """Return the values at some positions."""
        return self.column.take(index)


@dataclass(frozen=True)
class Packed:
    """Values of a fixed width, as they lie in a segment; their pages are checked with the ranges they are in."""

    type: str
    packed: NDArray[Any]

    def take(self, index: Ints) -> Column:
        """Return the values at some positions."""
        found = self.packed[index]
        if self.type == "number":
            return Column("number", found, ~np.isnan(found))
        return Column("boolean", found == 1, found != _NULL)


@dataclass(frozen=True)
class Heap:
    """Texts or vectors: offsets into bytes, and which are NULL."""

    type: str
    file: File

    def take(self, index: Ints) -> Column:
        """Return the values at some positions; their bytes are checked."""
        offset = self.file.column("offset")
        start, stop = offset[index], offset[index + 1]
        self.file.check("heap", start=start, stop=stop)
        content = self.file.column("heap")
        valid = self.file.column("kind")[index] != _NULL
        pieces = (content[first:last] for first, last in zip(start.tolist(), stop.tolist(), strict=True))
        return Column(self.type, objects(list(self._decoded(pieces, valid.tolist()))), valid)

    def _decoded(self, pieces: Iterator[NDArray[np.uint8]], valid: list[bool]) -> Iterator[Any]:
        for piece, held in zip(pieces, valid, strict=True):
            if not held:
                yield None
            elif self.type == "string":
                yield piece.tobytes().decode()
            else:
                yield np.frombuffer(piece.tobytes(), np.float64).tolist()


def columns_of(column: Column) -> dict[str, NDArray[Any]]:
    """Return a column of values as a segment holds it."""
    if column.type == "number":
        return {"value": np.where(column.valid, column.values, np.nan)}
    if column.type == "boolean":
        return {"value": np.where(column.valid, column.values, _NULL).astype(np.uint8)}
    pieces = [_encoded(column.type, value) if held else b"" for value, held in _pairs(column)]
    offset = np.zeros(len(pieces) + 1, np.int64)
    np.cumsum([len(piece) for piece in pieces], out=offset[1:])
    kind = np.where(column.valid, 0, _NULL).astype(np.uint8)
    return {"kind": kind, "offset": offset, "heap": np.frombuffer(b"".join(pieces), np.uint8)}


def _pairs(column: Column) -> Iterator[tuple[Any, bool]]:
    return zip(column.values.tolist(), column.valid.tolist(), strict=True)


def _encoded(feature_type: str, value: Any) -> bytes:
    return value.encode() if feature_type == "string" else np.asarray(value, np.float64).tobytes()


def values_in(file: File) -> Values:
    """Return the values of a segment."""
    feature_type = file.facts["type"]
    if feature_type in {"number", "boolean"}:
        return Packed(feature_type, file.column("value"))
    return Heap(feature_type, file)


def fixed_columns(feature_type: str) -> Sequence[str]:
    """Return the columns with one item per value that hold the values."""
    return ["value"] if feature_type in {"number", "boolean"} else ["kind"]

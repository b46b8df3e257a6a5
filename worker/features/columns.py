"""Columns of values and of entity ids as arrays: what a training read is made of, before Python values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from worker.errors import Rejected
from worker.features.definition import MAX_ENTITY_ID_BYTES, check_entity_id
from worker.features.port import Value

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_DTYPES: dict[str, Any] = {"number": np.float64, "boolean": np.bool_}


@dataclass(frozen=True)
class Column:
    """One feature's value per row.

    Attributes:
        type: of the feature.
        values: float64 for numbers, bool for booleans, else objects; what stands where nothing is valid means nothing.
        valid: whether there is a value that is not NULL.
    """

    type: str
    values: NDArray[Any]
    valid: Bools

    @classmethod
    def empty(cls, feature_type: str, rows: int) -> Self:
        """Return a column without any value."""
        values = np.zeros(rows, dtype=_DTYPES.get(feature_type, np.object_))
        return cls(feature_type, values, np.zeros(rows, dtype=np.bool_))

    @classmethod
    def of(cls, feature_type: str, values: Sequence[Value]) -> Self:
        """Return values as a column."""
        held = objects(values)
        valid = np.fromiter((value is not None for value in values), np.bool_, len(values))
        if feature_type in _DTYPES:
            held = np.where(valid, held, 0).astype(_DTYPES[feature_type])
        return cls(feature_type, held, valid)

    def tolist(self) -> list[Value]:
        """Return Python values, None where there is none."""
        held: list[Value] = self.values.tolist()
        for row in np.flatnonzero(~self.valid).tolist():
            held[row] = None
        return held

    def take(self, rows: Any) -> "Column":
        """Return some rows, by index or mask."""
        return Column(self.type, self.values[rows], self.valid[rows])

    def to_arrow(self) -> Any:
        """Return it as an Arrow array: double, bool, large_string or large_list of double."""
        import pyarrow as pa

        kinds = {
            "number": pa.float64(),
            "boolean": pa.bool_(),
            "string": pa.large_string(),
            "vector": pa.large_list(pa.float64()),
        }
        return pa.array(self.values, type=kinds[self.type], mask=~self.valid)


def objects(values: Sequence[Any]) -> NDArray[np.object_]:
    """Return Python values as an array of objects, a list among them as one object."""
    return np.fromiter(values, dtype=np.object_, count=len(values))


def id_array(ids: Any) -> Any:
    """Return entity ids as one Arrow array of large_string, each checked.

    Args:
        ids: a list of text, or an Arrow (chunked) array of strings, also dictionary-encoded.

    Raises:
        Rejected: one that is not text of 1 to 1024 bytes of UTF-8 without NUL.
    """
    import pyarrow as pa
    from pyarrow import compute as pc

    try:
        array = _large_strings(ids)
    except (pa.ArrowException, UnicodeEncodeError, TypeError):
        array = None
    if array is not None and not array.null_count:
        length = pc.min_max(pc.binary_length(array)).as_py()
        fits = not len(array) or (length["min"] >= 1 and length["max"] <= MAX_ENTITY_ID_BYTES)
        if fits and not _holds_nul(array):
            return array
    for entity_id in ids.to_pylist() if hasattr(ids, "to_pylist") else ids:
        check_entity_id(entity_id)
    raise Rejected("an entity id is not text", field="entityId")


def _large_strings(ids: Any) -> Any:
    import pyarrow as pa

    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
        ids = ids.chunk(0) if isinstance(ids, pa.ChunkedArray) else ids
    if not isinstance(ids, pa.Array):
        return pa.array(ids, type=pa.large_string())
    kind = ids.type.value_type if pa.types.is_dictionary(ids.type) else ids.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise TypeError(f"{ids.type} is not text")
    return ids.cast(pa.large_string())


def int_array(numbers: Ints) -> Any:
    """Return whole numbers as an Arrow array; `pyarrow.array` would import all of numpy.ma to look at them."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(np.ascontiguousarray(numbers))])


def heap(array: Any) -> tuple[Ints, NDArray[np.uint8]]:
    """Return the offsets (from 0, one more than rows) and the bytes of an Arrow large_string array."""
    _, offsets, data = array.buffers()
    if offsets is None or not len(array):
        return np.zeros(1, np.int64), np.empty(0, np.uint8)
    held = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    content = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return held - held[0], content[int(held[0]) : int(held[-1])]


def _holds_nul(array: Any) -> bool:
    _, content = heap(array)
    return bool(len(content)) and not bool(content.all())

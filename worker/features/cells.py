"""Cells of a file a column at a time: what is plainly a value of its type is taken at once, the rest goes row by row.

Each function returns, beside the values, which of them it took. It never takes what the parser of one cell
(`worker.features.parsing`) would refuse, or would read as something else.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.errors import Rejected
from worker.features.bulk import Cells
from worker.features.columns import Bools, Column, Ints, id_array, objects
from worker.features.moments import moments
from worker.features.parsing import cell_parser
from worker.features.rows import Cell, arrow_cells
from worker.features.spine import FIRST_US, LAST_US

#: Any text of so many characters is short enough in UTF-8.
_SHORT = 16 * 1024
#: Whole numbers up to here fit a float exactly.
_EXACT = 2.0**53
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def ids(cells: Any) -> tuple[Any, Bools]:
    """Return entity ids: as an Arrow array if all were taken, else as a list of which none was."""
    try:
        found = id_array(_digits(cells))
    except Rejected:
        listed = arrow_cells(cells) if hasattr(cells, "to_pylist") else list(cells)
        return listed, np.zeros(len(listed), np.bool_)
    return found, np.ones(len(found), np.bool_)


def _digits(cells: Any) -> Any:
    """Return whole numbers as their digits, and anything else as it is."""
    import pyarrow as pa

    if hasattr(cells, "to_pylist"):
        return cells.cast(pa.large_string()) if pa.types.is_integer(cells.type) else cells
    return list(map(str, cells)) if set(map(type, cells)) == {int} else list(cells)


def times(cells: Any) -> tuple[Ints, Bools]:
    """Return times in microseconds since 1970."""
    if hasattr(cells, "to_pylist"):
        return _arrow_times(cells)
    text = np.fromiter((type(cell) is str for cell in cells), np.bool_, len(cells))
    if text.all():
        return moments(cells)
    found, read = np.zeros(len(cells), np.int64), np.zeros(len(cells), np.bool_)
    rows = np.flatnonzero(text)
    found[rows], read[rows] = moments([cells[row] for row in rows.tolist()])
    return found, read


def _arrow_times(array: Any) -> tuple[Ints, Bools]:
    import pyarrow as pa

    if pa.types.is_timestamp(array.type) and array.type.tz:
        present = array.is_valid().to_numpy(zero_copy_only=False)
        whole = array.cast(pa.timestamp("us", tz="UTC"), safe=False).cast(pa.int64()).fill_null(0)
        found = np.array(whole.to_numpy(zero_copy_only=False))
        return found, present & (found >= FIRST_US) & (found <= LAST_US)
    return times([None if cell is None else cell for cell in _texts(array)])


def _texts(array: Any) -> list[Any]:
    import pyarrow as pa

    text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
    return array.to_pylist() if text else [None] * len(array)


def values(feature_type: str, cells: Any, *, text: bool) -> tuple[Cells, Bools]:
    """Return the values of one feature."""
    if not isinstance(cells, list | tuple):
        return _from_arrow(feature_type, cells, text=text)
    if isinstance(cells, tuple):  # nothing is absent
        filled, valid, took = _READERS[feature_type](cells, text)
        return Cells(Column(feature_type, filled, valid), np.ones(len(cells), np.bool_)), took
    present = np.fromiter((cell is not Cell.ABSENT for cell in cells), np.bool_, len(cells))
    given = [cell for cell in cells if cell is not Cell.ABSENT]
    filled, valid, took = _READERS[feature_type](given, text)
    column = Column.empty(feature_type, len(cells))
    column.values[present], column.valid[present] = filled, valid
    taken = ~present
    taken[present] = took
    return Cells(column, present), taken


Read = tuple[NDArray[Any], Bools, Bools]


def _numbers(cells: Sequence[Any], text: bool) -> Read:  # noqa: FBT001 - one signature for all readers
    try:
        if text:
            joined = "".join(cells)
            if not joined.isascii() or "_" in joined:
                return _one_by_one("number", cells, text)
        elif not set(map(type, cells)) <= {float, int}:
            return _one_by_one("number", cells, text)
        found = np.fromiter(map(float, cells), np.float64, len(cells)) + 0.0
    except (ValueError, OverflowError):
        return _one_by_one("number", cells, text)
    exact = np.isfinite(found) if text else np.abs(found) <= _EXACT
    return found, exact, exact


def _strings(cells: Sequence[Any], text: bool) -> Read:  # noqa: FBT001
    if set(map(type, cells)) <= {str}:
        try:
            "".join(cells).encode()
        except UnicodeEncodeError:
            return _one_by_one("string", cells, text)
        short = np.fromiter(map(len, cells), np.int64, len(cells)) <= _SHORT
        return objects(cells), short, short
    return _one_by_one("string", cells, text)


def _booleans(cells: Sequence[Any], text: bool) -> Read:  # noqa: FBT001
    if text:
        found = [_BOOLEANS.get(cell.lower()) for cell in cells]
    elif set(map(type, cells)) <= {bool}:
        found = list(cells)
    else:
        return _one_by_one("boolean", cells, text)
    took = np.fromiter((value is not None for value in found), np.bool_, len(found))
    return np.fromiter(map(bool, found), np.bool_, len(found)), took, took


def _vectors(cells: Sequence[Any], text: bool) -> Read:  # noqa: FBT001
    return _one_by_one("vector", cells, text)


def _one_by_one(feature_type: str, cells: Sequence[Any], text: bool) -> Read:  # noqa: FBT001
    parse = cell_parser(feature_type, text=text)
    found, took = [], np.zeros(len(cells), np.bool_)
    for number, cell in enumerate(cells):
        try:
            found.append(parse(cell))
        except Rejected:
            found.append(None)
        else:
            took[number] = True
    column = Column.of(feature_type, found)
    return column.values, column.valid, took


_READERS: dict[str, Callable[[Sequence[Any], bool], Read]] = {
    "number": _numbers,
    "string": _strings,
    "boolean": _booleans,
    "vector": _vectors,
}


def _from_arrow(feature_type: str, array: Any, *, text: bool) -> tuple[Cells, Bools]:
    """Take a column of numbers (Parquet) as it is; a null there is no value."""
    import pyarrow as pa

    kind = array.type
    if feature_type == "number" and (
        pa.types.is_float32(kind) or pa.types.is_float64(kind) or pa.types.is_integer(kind)
    ):
        try:
            whole = array.cast(pa.float64()).fill_null(0.0)
        except pa.ArrowInvalid:
            return values(feature_type, arrow_cells(array), text=text)
        present = array.is_valid().to_numpy(zero_copy_only=False)
        found = whole.to_numpy(zero_copy_only=False) + 0.0
        finite = np.isfinite(found)
        return Cells(Column("number", found, present & finite), np.array(present)), finite
    return values(feature_type, arrow_cells(array), text=text)

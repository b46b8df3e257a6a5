"""How columns of values become the matrix that an estimator takes: one definition for training and for serving."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What stands for an absent category; absent text is empty, absent numbers are NaN.
MISSING = "(missing)"
NUMERIC = frozenset({"number", "boolean"})
_TEXT_WORDS = 3.0
_TEXT_LENGTH = 20.0


def kind_of(values: Sequence[Any], declared: str | None = None) -> str:
    """Return the kind of a column: `number`, `boolean`, `category`, `text` or `vector:WIDTH`.

    Args:
        values: the column, None where there is no value.
        declared: the feature's declared type; found out from the values if not given.
    """
    known = [value for value in values if value is not None]
    if declared == "vector" or (declared is None and known and isinstance(known[0], list)):
        return f"vector:{max((len(value) for value in known), default=0)}"
    if declared == "boolean" or (declared is None and known and all(isinstance(value, bool) for value in known)):
        return "boolean"
    if declared == "string" or (declared is None and any(isinstance(value, str) for value in known)):
        return _string_kind([str(value) for value in known])
    return "number"


def _string_kind(known: Sequence[str]) -> str:
    """Tell sentences from words: many words, long, and seldom the same twice."""
    if not known:
        return "category"
    words = sum(len(text.split()) for text in known) / len(known)
    length = sum(map(len, known)) / len(known)
    varied = len(set(known)) > max(20, len(known) // 10)
    return "text" if varied and words >= _TEXT_WORDS and length >= _TEXT_LENGTH else "category"


def encode(columns: Mapping[str, Sequence[Any]], kinds: Mapping[str, str], rows: int) -> NDArray[Any]:
    """Return the matrix of shape (rows, width), columns in the order of `kinds`; a column that is absent is missing.

    The matrix is of floats (NaN where missing) if all kinds are numeric, of objects otherwise.
    """
    parts: list[NDArray[Any]] = []
    for name, kind in kinds.items():
        values = columns.get(name)
        parts += _encode(values if values is not None else [None] * rows, kind)
    if all(part.dtype == np.float64 for part in parts):
        return np.column_stack(parts)
    matrix = np.empty((rows, len(parts)), dtype=object)
    for index, part in enumerate(parts):
        matrix[:, index] = part
    return matrix


def _encode(values: Sequence[Any], kind: str) -> list[NDArray[Any]]:
    if kind in NUMERIC:
        return [np.array([_float(value) for value in values], dtype=np.float64)]
    if kind.startswith("vector:"):
        width = int(kind.removeprefix("vector:"))
        return [np.array([_item(value, index) for value in values], dtype=np.float64) for index in range(width)]
    absent = "" if kind == "text" else MISSING
    return [np.array([absent if value is None else str(value) for value in values], dtype=object)]


def _float(value: Any) -> float:
    try:
        return float("nan") if value is None else float(value)
    except (TypeError, ValueError):
        return float("nan")


def _item(value: Any, index: int) -> float:
    return _float(value[index]) if isinstance(value, list) and index < len(value) else float("nan")


def groups(kinds: Mapping[str, str]) -> dict[str, list[int]]:
    """Return which columns of the matrix are `number` (booleans and vectors, too), `category` and `text`."""
    found: dict[str, list[int]] = {"number": [], "category": [], "text": []}
    column = 0
    for kind in kinds.values():
        width = int(kind.removeprefix("vector:")) if kind.startswith("vector:") else 1
        found[kind if kind in found else "number"] += range(column, column + width)
        column += width
    return found

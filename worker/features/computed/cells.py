"""Columns of values in which null has its place, and what the operators and functions make of them.

Numbers and booleans lie in 64-bit floats with NaN for null, texts and vectors in object arrays with None. A result
that is no finite number (a division by zero, a logarithm of nothing, an overflow) is null. Every operation is done per
element and rounds as IEEE 754 says, or goes through the C library one number at a time, so that a value does not
depend on how many rows are computed at once.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.features.computed.functions import BOOLEAN, NULL, NUMBER
from worker.features.join import Bools
from worker.features.port import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """One value per row; `kind` is the values' type, or `null` where all are null."""

    kind: str
    values: NDArray[Any]

    def null(self) -> Bools:
        """Return where the value is null."""
        if self.kind in {NUMBER, BOOLEAN, NULL}:
            missing: Bools = np.isnan(self.values)
            return missing
        return np.fromiter((value is None for value in self.values), np.bool_, len(self.values))

    def listed(self) -> list[Value]:
        """Return the values as they are stored and answered: there is one zero, and null is None."""
        if self.kind in {NUMBER, BOOLEAN, NULL}:
            wanted: Callable[[float], Value] = bool if self.kind == BOOLEAN else float
            return [None if value != value else wanted(value) for value in (self.values + 0.0).tolist()]  # noqa: PLR0124
        return list(self.values.tolist())


def cells(kind: str, values: Sequence[Value] | NDArray[Any]) -> Cells:
    """Return values (None for null) of one type as a column."""
    if kind in {NUMBER, BOOLEAN, NULL}:
        return Cells(kind, np.array(values, dtype=np.object_).astype(np.float64))
    held = np.empty(len(values), dtype=np.object_)
    held[:] = values if isinstance(values, np.ndarray) else np.fromiter(values, np.object_, len(values))
    return Cells(kind, held)


def constant(value: Value, rows: int) -> Cells:
    """Return the same value in every row."""
    if value is None:
        return Cells(NULL, np.full(rows, np.nan))
    if isinstance(value, str):
        return Cells("string", np.full(rows, value, dtype=np.object_))
    return Cells(BOOLEAN if isinstance(value, bool) else NUMBER, np.full(rows, float(value)))  # type: ignore[arg-type]


def finite(values: Floats) -> Floats:
    """Return the values with null in place of what is no finite number."""
    return np.where(np.isfinite(values), values, np.nan)


def negative(operand: Cells) -> Cells:
    """Return the numbers with the other sign."""
    return Cells(NUMBER, -operand.values)


def negation(operand: Cells) -> Cells:
    """Return `not`; of null it is null."""
    return Cells(BOOLEAN, 1.0 - operand.values)


def is_null(operand: Cells, *, negated: bool) -> Cells:
    """Return where there is no value, or where there is one; never null itself."""
    return Cells(BOOLEAN, (operand.null() ^ negated).astype(np.float64))


def binary(operator: str, left: Cells, right: Cells) -> Cells:
    """Return what an operator makes of two columns."""
    with np.errstate(all="ignore"):
        if operator in _ARITHMETIC:
            return Cells(NUMBER, finite(_ARITHMETIC[operator](left.values, right.values)))
        if operator in _LOGIC:
            return Cells(BOOLEAN, _LOGIC[operator](left.values, right.values))
        truth = _COMPARISON[operator](left.values, right.values).astype(np.float64)
    return Cells(BOOLEAN, np.where(left.null() | right.null(), np.nan, truth))


def _and(left: Floats, right: Floats) -> Floats:
    """Return the smaller; false decides, whatever the other is."""
    return np.where((left == 0) | (right == 0), 0.0, left + right - 1)


def _or(left: Floats, right: Floats) -> Floats:
    """Return the larger; true decides, whatever the other is."""
    return np.where((left == 1) | (right == 1), 1.0, left + right)


_ARITHMETIC: dict[str, Callable[[Any, Any], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.mod,
}
_LOGIC: dict[str, Callable[[Any, Any], Floats]] = {"and": _and, "or": _or}
_COMPARISON: dict[str, Callable[[Any, Any], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def call(function: str, arguments: Sequence[Cells]) -> Cells:
    """Return what a function makes of its arguments."""
    if function == "if":
        return _choose(arguments[0].values == 1, arguments[1], arguments[2])
    if function == "coalesce":
        found = arguments[0]
        for other in arguments[1:]:
            found = _choose(~found.null(), found, other)
        return found
    with np.errstate(all="ignore"):
        return Cells(NUMBER, finite(_NUMERIC[function](*(argument.values for argument in arguments))))


def _choose(first: Bools, left: Cells, right: Cells) -> Cells:
    kind = right.kind if left.kind == NULL else left.kind
    return Cells(kind, np.where(first, _as(kind, left).values, _as(kind, right).values))


def _as(kind: str, given: Cells) -> Cells:
    """Return a column of nulls as nulls of another type; any other is of that type already."""
    if given.kind != NULL or kind in {NUMBER, BOOLEAN, NULL}:
        return given
    return Cells(kind, np.full(len(given.values), None, dtype=np.object_))


def _one_by_one(function: Callable[[float], float]) -> Callable[[Floats], Floats]:
    """Return a function of columns that calls one of numbers; where it has no answer, the answer is null."""

    def of(number: float) -> float:
        try:
            return function(number)
        except (ValueError, OverflowError):
            return math.nan

    return lambda values: np.fromiter(map(of, values.tolist()), np.float64, len(values))


def _least(first: Floats, *others: Floats) -> Floats:
    return reduce(np.minimum, others, first)


def _greatest(first: Floats, *others: Floats) -> Floats:
    return reduce(np.maximum, others, first)


def _clip(values: Floats, low: Floats, high: Floats) -> Floats:
    return np.minimum(np.maximum(values, low), high)


_NUMERIC: dict[str, Callable[..., Floats]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "clip": _clip,
    "exp": _one_by_one(math.exp),
    "floor": np.floor,
    "log": _one_by_one(math.log),
    "max": _greatest,
    "min": _least,
    "round": np.rint,
    "sqrt": np.sqrt,
}

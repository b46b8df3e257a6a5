"""A cell of a file as a value: text by the feature's type, and the type of a column by what stands in it; pure."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from worker.clock import parse_time
from worker.errors import Rejected
from worker.features.definition import value_check
from worker.features.port import Value

_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def cell_parser(feature_type: str, *, text: bool) -> Callable[[Any], Value]:
    """Return what turns a cell into a value of the type.

    Args:
        feature_type: number, string, boolean or vector.
        text: whether cells are text (CSV), to be read as the type, or values already.

    The result raises Rejected for a cell that is not of the type.
    """
    check = value_check(feature_type)
    if not text or feature_type == "string":
        return check
    readers: dict[str, Callable[[str], Value]] = {"number": _number, "boolean": _boolean, "vector": _vector}
    read = readers[feature_type]
    return lambda cell: check(read(cell))


def _number(text: str) -> float:
    number = _finite(text)
    if number is None:
        raise Rejected(f"{text[:80]!r} is not a finite number", field="value")
    return number


def _finite(text: str) -> float | None:
    """Return the number that the text spells, None if it is none; Python's own underscores are no numbers."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and text.isascii() and "_" not in text else None


def _boolean(text: str) -> bool:
    found = _BOOLEANS.get(text.lower())
    if found is None:
        raise Rejected(f"{text[:80]!r} is not true or false", field="value")
    return found


def _vector(text: str) -> list[float]:
    try:
        return msgspec.json.decode(text, type=list[float])
    except msgspec.DecodeError as error:
        raise Rejected(f"{text[:80]!r} is not a list of numbers: {error}", field="value") from error


def parse_moment(cell: Any) -> datetime:
    """Return the time in a cell: RFC 3339 text, or a time. Raises Rejected."""
    if isinstance(cell, datetime):
        return cell
    if not isinstance(cell, str):
        raise Rejected(
            f"a time is expected, and this is {type(cell).__name__}", mend="write it as 2002-09-28T00:00:00Z"
        )
    try:
        return parse_time(cell)
    except (ValueError, OverflowError) as error:
        raise Rejected(f"{cell[:80]!r} is not a time: {error}") from error


def parse_id(cell: Any) -> Any:
    """Return the entity id in a cell: a whole number is its digits; the store checks the rest."""
    return str(cell) if isinstance(cell, int) and not isinstance(cell, bool) else cell


class Guess:
    """The type of a column, from the cells seen so far: number, boolean and vector while all fit, else string."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def see(self, cell: Any, *, text: bool) -> None:
        """Look at one more cell that has a value."""
        self._seen.add(_text_type(cell) if text else _value_type(cell))

    def see_all(self, cells: Sequence[Any], *, text: bool) -> None:
        """Look at many cells that have a value, quickly where they are numbers, as most are."""
        if text and cells and _all_numbers(cells):
            self._seen.add("number")
        else:
            for cell in cells:
                self.see(cell, text=text)

    @property
    def type(self) -> str | None:
        """The type, None before any cell was seen."""
        if len(self._seen) == 1:
            return next(iter(self._seen))
        return "string" if self._seen else None


def _all_numbers(cells: Sequence[str]) -> bool:
    joined = "".join(cells)
    if not joined.isascii() or "_" in joined:
        return False
    try:
        return all(map(math.isfinite, map(float, cells)))
    except ValueError:
        return False


def _text_type(cell: str) -> str:
    if _finite(cell) is not None:
        return "number"
    return "boolean" if cell.lower() in {"true", "false"} else "string"


def _value_type(cell: Any) -> str:
    if isinstance(cell, bool):
        return "boolean"
    if isinstance(cell, int | float):
        return "number"
    return "vector" if isinstance(cell, list) else "string"

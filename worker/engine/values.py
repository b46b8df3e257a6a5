"""Parameter values: the types of the PipelineSpec, cast as declared, from JSON and from the text a step writes."""

import json
import math
from typing import Any, Literal

from worker.errors import Rejected

ParameterType = Literal["STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN", "LIST", "STRUCT", "TASK_FINAL_STATUS"]

#: How many lists and structs a value may have within each other.
DEEPEST = 100
_TOO_DEEP = f"nests deeper than {DEEPEST} levels"
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_JSON_TYPES: dict[str, type] = {"STRING": str, "BOOLEAN": bool, "LIST": list, "STRUCT": dict, "TASK_FINAL_STATUS": dict}


def cast(value: Any, declared: ParameterType, field: str) -> Any:
    """Return a JSON value as the declared type; only a whole float becomes an integer, and an integer a float.

    Raises:
        Rejected: a value of another type, or a number that is not finite.
    """
    if declared in _JSON_TYPES:
        if isinstance(value, _JSON_TYPES[declared]):
            return value
    elif isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value):
        if declared == "NUMBER_DOUBLE":
            return float(value)
        if value == int(value):
            return int(value)
    raise Rejected(f"{_shown(value)} is not of type {declared}", field=field)


def from_text(text: str, declared: ParameterType, field: str) -> Any:
    """Return the value that a step wrote to an output parameter's file.

    Raises:
        Rejected: text that does not spell a value of the declared type.
    """
    if declared == "STRING":
        return text
    text = text.strip()
    if declared == "BOOLEAN":
        if text in _TRUE | _FALSE:
            return text in _TRUE
        raise Rejected(f"{_shown(text)} is not of type BOOLEAN", field=field)
    try:
        value = from_json(text)
    except ValueError as error:
        raise Rejected(f"{_shown(text)} is not of type {declared}: {error}", field=field) from error
    return cast(value, declared, field)


def to_text(value: Any) -> str:
    """Return a value as it stands in a command line: strings as they are, everything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))


def whole(value: Any) -> Any:
    """Return a value with whole numbers as integers: a compiled spec holds every number as a float."""
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def from_json(text: str) -> Any:
    """Return the value that a JSON text spells. Raises ValueError for other text, and for what `check_json` refuses."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    check_json(value)
    return value


def check_json(value: Any) -> None:
    """Raise ValueError for a number that is not finite, and for what nests so deep that it cannot be written again."""
    level, depth = [value], 0
    while level:
        if any(isinstance(one, float) and not math.isfinite(one) for one in level):
            raise ValueError("holds a number that is not finite")
        inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        if inner and depth == DEEPEST:
            raise ValueError(_TOO_DEEP)
        level, depth = [part for parts in inner for part in parts], depth + 1


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"

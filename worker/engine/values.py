"""Parameter values: the types of the PipelineSpec, cast as declared, from JSON and from the text a step writes."""

import json
import math
from typing import Any, Literal

from worker.errors import Rejected

ParameterType = Literal["STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN", "LIST", "STRUCT", "TASK_FINAL_STATUS"]

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
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
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
        value = json.loads(text, parse_constant=refuse_constant)
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


def refuse_constant(name: str) -> Any:
    """Refuse `NaN` and the infinities, which JSON has not (for `json.loads(parse_constant=…)`). Raises ValueError."""
    raise ValueError(f"{name} is no JSON number")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"

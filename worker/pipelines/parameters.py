"""A template's parameters: what each may be, its default, and the check of what a trigger gives; pure."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from worker.errors import Rejected

#: type's word -> the Python types of its JSON values
TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
    "any": (str, int, float, bool, list, dict),
}
#: Parameters that a trigger adds to every run.
GIVEN = ("beeId",)
_FIELDS = ("type", "default", "description")
Fault = tuple[tuple[str | int, ...], str]


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes:
        type: a word of `TYPES`.
        required: it has no default, so that every trigger must give it.
    """

    type: str
    default: Any = None
    required: bool = False
    description: str = ""


def declared(raw: Mapping[str, Any]) -> tuple[dict[str, Parameter], list[Fault]]:
    """Return name -> parameter and the faults.

    Args:
        raw: each as `{type, default, description}`, or in short as its default alone (null: it may be left out).
    """
    found: dict[str, Parameter] = {}
    faults: list[Fault] = []
    for name, value in raw.items():
        if not _long(value):
            found[name] = Parameter(_type_of(value), value)
            continue
        faults += _long_faults(name, value)
        type_ = value["type"] if value["type"] in TYPES else "any"
        found[name] = Parameter(type_, value.get("default"), "default" not in value, str(value.get("description", "")))
    return found, faults


def _long(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return False
    return value["type"] in TYPES or set(value) <= set(_FIELDS)


def _long_faults(name: str, value: Mapping[str, Any]) -> Iterator[Fault]:
    at = ("parameters", name)
    for field in sorted(set(value) - set(_FIELDS)):
        yield (*at, field), f"is not known here; a parameter has {', '.join(_FIELDS)}"
    if value["type"] not in TYPES:
        yield (*at, "type"), f"there is no type {value['type']!r}; use one of {', '.join(TYPES)}"
    elif value.get("default") is not None and not _is(value["default"], value["type"]):
        yield (*at, "default"), f"{_shown(value['default'])} is not {_word(value['type'])}"


def given(parameters: Mapping[str, Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a trigger gives, checked.

    Raises:
        Rejected: an unknown name, a value of another type, or a required one that is missing; the error names it.
    """
    for name, value in values.items():
        if name not in parameters and name not in GIVEN:
            known = ", ".join(sorted(parameters)) or "it takes none"
            raise Rejected("is not a parameter of the template", field=f"parameters.{name}", mend=f"known: {known}")
        if name in parameters:
            _check(name, parameters[name], value)
    for name, parameter in parameters.items():
        if parameter.required and name not in values:
            mend = f"give {_word(parameter.type)}"
            raise Rejected("is missing", field=f"parameters.{name}", mend=mend)
    return dict(values)


def from_text(parameters: Mapping[str, Parameter], name: str, text: str) -> Any:
    """Return the value that a person typed for a parameter: text as it is, everything else as JSON.

    Raises:
        Rejected: the text is not of the parameter's type.
    """
    type_ = parameters[name].type if name in parameters else "any"
    if type_ == "string":
        return text
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        if type_ == "any":
            return text
        raise Rejected(f"{text[:80]!r} is not {_word(type_)}", field=f"parameters.{name}", mend="write JSON") from error


def defaults(parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return name -> default; None where there is none."""
    return {name: parameter.default for name, parameter in parameters.items()}


def _check(name: str, parameter: Parameter, value: Any) -> None:
    if value is None and not parameter.required and parameter.default is None:
        return
    if not _is(value, parameter.type):
        mend = f"give {_word(parameter.type)}"
        raise Rejected(f"{_shown(value)} is not {_word(parameter.type)}", field=f"parameters.{name}", mend=mend)


def _is(value: Any, type_: str) -> bool:
    if isinstance(value, bool):
        return bool in TYPES[type_]
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if type_ == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, TYPES[type_])


def _type_of(default: Any) -> str:
    if isinstance(default, float):
        return "number"
    return next((word for word in ("boolean", "integer", "string", "list", "object") if _is(default, word)), "any")


def _word(type_: str) -> str:
    article = "an" if type_[0] in "aio" else "a"
    return "a value" if type_ == "any" else f"{article} {type_}"


def _shown(value: Any) -> str:
    return repr(value)[:80]


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)

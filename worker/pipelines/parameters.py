"""A template's parameters: what each may be, its default, and the check of what a trigger gives; pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from worker.errors import Rejected
from worker.steps.values import ANY, WORDS, Fault, ValueType, dotted, misfits, parse_type, type_of

#: Parameters that a trigger adds to every run.
GIVEN = ("beeId",)
_SHAPE = ("type", "items", "fields")
_FIELDS = ("type", "default", "description", "items", "fields")


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes:
        type: a word of `WORDS`.
        required: it has no default, so that every trigger must give it.
        items: of a list, what each item is.
        fields: of an object, those that it must have.
    """

    type: str
    default: Any = None
    required: bool = False
    description: str = ""
    items: ValueType | None = None
    fields: Mapping[str, ValueType] = field(default_factory=dict)

    @property
    def shape(self) -> ValueType:
        """Its type, with what is known of its parts."""
        return ValueType(self.type, self.items, self.fields)


def declared(raw: Mapping[str, Any]) -> tuple[dict[str, Parameter], list[Fault]]:
    """Return name -> parameter and the faults.

    Args:
        raw: each as `{type, default, description, items, fields}`, or in short as its default alone (null: it may be
            left out).
    """
    found: dict[str, Parameter] = {}
    faults: list[Fault] = []
    for name, value in raw.items():
        if not _long(value):
            # What a default consists of does not say of what other values will.
            found[name] = Parameter(type_of(value).word, value)
            continue
        shape, wrong = parse_type({key: value[key] for key in _SHAPE if key in value}, ("parameters", name))
        faults += [*wrong, *_long_faults(name, value, shape)]
        found[name] = Parameter(
            shape.word,
            value.get("default"),
            "default" not in value,
            str(value.get("description", "")),
            shape.items,
            shape.fields,
        )
    return found, faults


def _long(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return False
    return value["type"] in WORDS or set(value) <= set(_FIELDS)


def _long_faults(name: str, value: Mapping[str, Any], shape: ValueType) -> Iterator[Fault]:
    at = ("parameters", name)
    for word in sorted(set(value) - set(_FIELDS)):
        yield (*at, word), f"is not known here; a parameter has {', '.join(_FIELDS)}"
    if value.get("default") is not None:
        for path, text in misfits(value["default"], shape):
            yield (*at, "default", *path), text


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
            mend = f"give {parameter.shape.called}"
            raise Rejected("is missing", field=f"parameters.{name}", mend=mend)
    return dict(values)


def from_text(parameters: Mapping[str, Parameter], name: str, text: str) -> Any:
    """Return the value that a person typed for a parameter: text as it is, everything else as JSON.

    Raises:
        Rejected: the text is not of the parameter's type.
    """
    shape = parameters[name].shape if name in parameters else ANY
    if shape.word == "string":
        return text
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        if shape.word == "any":
            return text
        raise Rejected(f"{text[:80]!r} is not {shape.called}", field=f"parameters.{name}", mend="write JSON") from error


def defaults(parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return name -> default; None where there is none."""
    return {name: parameter.default for name, parameter in parameters.items()}


def _check(name: str, parameter: Parameter, value: Any) -> None:
    if value is None and not parameter.required and parameter.default is None:
        return
    for path, text in misfits(value, parameter.shape):
        place = f"parameters.{dotted((name, *path))}"
        raise Rejected(text, field=place, mend=f"give {parameter.shape.called}" if not path else "correct it")


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)

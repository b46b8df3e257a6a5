"""The types of values that templates and steps pass: words, what lists hold, what objects have; pure.

A type is written as a word (`string`, `list[object]`) or, for the shape of a list or an object, as
`{type: list, items: {type: object, fields: {name: string, share: number}}}`.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

#: word -> the Python types of its JSON values
WORDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
    "any": (str, int, float, bool, list, dict),
}
#: What a step that ends early gives, so that conditions on it can be asked and loops over it run not once.
_EMPTY: Mapping[str, Any] = {"string": "", "integer": 0, "number": 0.0, "boolean": False, "list": [], "object": {}}
_LIST = re.compile(r"list\[(.+)\]")
Path = tuple[str | int, ...]
Fault = tuple[Path, str]


@dataclass(frozen=True)
class ValueType:
    """A type.

    Attributes:
        items: of a list, what each item is; None if nothing is known of them.
        fields: of an object, those that it must have; it may have others.
    """

    word: str
    items: "ValueType | None" = None
    fields: Mapping[str, "ValueType"] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the type as it is written."""
        return f"list[{self.items}]" if self.items else self.word

    @property
    def called(self) -> str:
        """Its word with its article, for sentences."""
        if self.word == "any":
            return "a value"
        return f"{'an' if self.word[0] in 'aio' else 'a'} {self.word}" + (f" of {self.items}s" if self.items else "")


ANY = ValueType("any")


def parse_type(raw: Any, at: Path) -> tuple[ValueType, list[Fault]]:
    """Return the type that is written in a template, and what is wrong with how it is."""
    if isinstance(raw, Mapping):
        return _parse_shape(raw, at)
    if isinstance(raw, str):
        listed = _LIST.fullmatch(raw)
        if listed:
            items, faults = parse_type(listed[1], at)
            return ValueType("list", items), faults
        if raw in WORDS:
            return ValueType(raw), []
    return ANY, [(at, f"there is no type {raw!r}; use one of {', '.join(WORDS)}")]


def _parse_shape(raw: Mapping[str, Any], at: Path) -> tuple[ValueType, list[Fault]]:
    """Return a type that is written at length; `type` may be left out where `items` or `fields` say it."""
    plain = {"items": "list", "fields": "object"}
    word = raw.get("type", next((plain[name] for name in plain if name in raw), None))
    type_, faults = parse_type(word, (*at, "type"))
    items, fields = type_.items, {}
    for name, wanted in plain.items():
        if name in raw and type_.word != wanted:
            faults.append(((*at, name), f"goes with the type {wanted}, not {type_.word}; take it out"))
    if "items" in raw:
        items, found = parse_type(raw["items"], (*at, "items"))
        faults += found
    given = raw.get("fields", {})
    if not isinstance(given, Mapping):
        return type_, [*faults, ((*at, "fields"), "is not a mapping; write it as {name: string, share: number}")]
    for name, one in given.items():
        if not isinstance(name, str):
            text = f"{name!r} is no text; YAML takes yes, no, on and off for booleans: quote it"
            faults.append(((*at, "fields"), text))
        fields[str(name)], found = parse_type(one, (*at, "fields", str(name)))
        faults += found
    return ValueType(type_.word, items, fields), faults


def misfits(value: Any, type_: ValueType, at: Path = ()) -> Iterator[Fault]:
    """Yield where a value is not of a type, with what stands there."""
    if not _is(value, type_.word):
        yield at, f"{shown(value)} is not {ValueType(type_.word).called}"
    elif isinstance(value, list) and type_.items:
        for number, item in enumerate(value):
            yield from misfits(item, type_.items, (*at, number))
    elif isinstance(value, dict):
        for name, one in type_.fields.items():
            if name not in value:
                yield (*at, name), f"is missing, {one.called}"
            else:
                yield from misfits(value[name], one, (*at, name))


def type_of(value: Any) -> ValueType:
    """Return the narrowest type of a JSON value; `any` for null, and for items that have none in common."""
    if isinstance(value, list):
        return ValueType("list", _common([type_of(item) for item in value]) if value else None)
    if isinstance(value, dict):
        return ValueType("object", fields={str(name): type_of(item) for name, item in value.items()})
    if isinstance(value, float):
        return ValueType("number")
    return ValueType(next((word for word in ("boolean", "integer", "string") if _is(value, word)), "any"))


def empty(type_: ValueType) -> Any:
    """Return the value that stands for none."""
    return _EMPTY.get(type_.word)


def dotted(path: Path) -> str:
    """Return a path as people write it: `variants[2].name`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def shown(value: Any) -> str:
    """Return a value for a message, cut where it is long."""
    return repr(value)[:80]


def texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield every text in a value with its place."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts(part, (*path, key))


def _common(types: list[ValueType]) -> ValueType:
    words = {one.word for one in types}
    if words == {"object"}:
        shared = set.intersection(*(set(one.fields) for one in types))
        return ValueType("object", fields={n: _common([one.fields[n] for one in types]) for n in sorted(shared)})
    if words == {"list"}:
        held = [one.items for one in types if one.items]
        return ValueType("list", _common(held) if len(held) == len(types) else None)
    if words == {"integer", "number"}:
        return ValueType("number")
    return types[0] if len(words) == 1 else ANY


def _is(value: Any, word: str) -> bool:
    if isinstance(value, bool):
        return bool in WORDS[word]
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if word == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, WORDS[word])

"""Arguments that depend on what is given: the SDK's `IfPresent` and `Concat`, read from their JSON."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from worker.engine import placeholder
from worker.engine.spec import Component
from worker.errors import Rejected

_MARKS = ('{"IfPresent":', '{"Concat":')


def check(text: str, component: Component, field: str) -> None:
    """Check an argument: its structure, and every placeholder in it. Raises Rejected."""
    for leaf in _leaves(read(text, field), component, field):
        placeholder.check(leaf, component, field)


def read(text: str, field: str) -> Any:
    """Return the structure that an argument is, or the argument itself if it is none.

    Raises:
        Rejected: something that begins like a structure, but is no JSON.
    """
    if not text.startswith(_MARKS):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise Rejected(f"is no JSON: {text[:120]}", field=field) from error


def expand(text: str, given: Mapping[str, Any], fill: placeholder.Fill) -> list[str]:
    """Return the words that an argument becomes: one, or none or several where it depends on what is given."""
    return list(_words(read(text, ""), given, fill))


def _words(part: Any, given: Mapping[str, Any], fill: placeholder.Fill) -> Iterator[str]:
    if isinstance(part, str):
        yield placeholder.fill(part, fill)
    elif isinstance(part, list):
        for item in part:
            yield from _words(item, given, fill)
    elif "Concat" in part:
        yield "".join(word for item in part["Concat"] for word in _words(item, given, fill))
    else:
        choice = part["IfPresent"]
        side = choice["Then"] if choice["InputName"] in given else choice.get("Else", [])
        yield from _words(side, given, fill)


def _leaves(part: Any, component: Component, field: str) -> Iterator[str]:
    if isinstance(part, str):
        yield part
        return
    if isinstance(part, dict) and part.keys() == {"Concat"} and isinstance(part["Concat"], list):
        for item in part["Concat"]:
            yield from _leaves(item, component, field)
        return
    choice = part["IfPresent"] if isinstance(part, dict) and part.keys() == {"IfPresent"} else None
    if not isinstance(choice, dict) or not {"InputName", "Then"} <= choice.keys() <= {"InputName", "Then", "Else"}:
        raise Rejected(f"the local engine does not know this structure: {json.dumps(part)[:120]}", field=field)
    inputs = component.input_definitions
    if choice["InputName"] not in {*inputs.parameters, *inputs.artifacts}:
        raise Rejected(f"the component has no input {choice['InputName']!r}", field=field)
    for side in (choice["Then"], choice.get("Else", [])):
        for item in side if isinstance(side, list) else [side]:
            yield from _leaves(item, component, field)

"""The JSON Schema of every event's data, generated from its type; pure.

Within a version fields are only ever added, and readers skip those that they do not know (`additionalProperties` is
open); a field that goes, or means something else, makes a new version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import msgspec

from worker.errors import NotFound
from worker.publish.schemas import INCOMING, OUTGOING

#: Where the HTTP API serves schemas; what `dataschema` leads to.
PATH = "/api/mlops/events/schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: Of types whose data has changed its meaning; all others are in their first.
VERSIONS: dict[str, int] = {}
#: What the types themselves cannot say.
_ALSO: dict[str, dict[str, Any]] = {
    "model.evaluated": {
        "anyOf": [{"required": [name], "properties": {name: {"type": "object"}}} for name in ("drift", "metrics")]
    }
}


@dataclass(frozen=True)
class Described:
    """One event type of the catalogue.

    Attributes:
        uri: the path that serves `schema`, as in the event's `dataschema`.
        about: what it tells, in a sentence.
    """

    type: str
    direction: Literal["in", "out"]
    version: int
    uri: str
    about: str
    schema: Mapping[str, Any]


def schema_uri(type_: str, base: str = "") -> str:
    """Return where the schema of a type's data is served: below `base` (a public URL), else as a path."""
    return f"{base}{PATH}/{type_}/v{VERSIONS.get(type_, 1)}"


@cache
def catalogue() -> Mapping[str, Described]:
    """Return every type that comes in or goes out, by its name."""
    incoming = {type_: _described(type_, of, "in") for type_, of in INCOMING.items()}
    return incoming | {type_: _described(type_, of, "out") for type_, of in OUTGOING.items()}


def described(type_: str, version: int | None = None) -> Described:
    """Return one type. Raises NotFound if there is none, or not in that version."""
    found = catalogue().get(type_)
    if found is None:
        raise NotFound(f"there is no event {type_!r}; there are: {', '.join(catalogue())}", field="type")
    if version is not None and version != found.version:
        raise NotFound(f"{type_} has no version {version}; it is in version {found.version}", field="version")
    return found


def _described(type_: str, of: type[msgspec.Struct], direction: Literal["in", "out"]) -> Described:
    made = msgspec.json.schema(of)
    parts = made["$defs"]
    # The type's own schema stands at the top: not every reader follows a reference from there.
    own = parts.pop(made["$ref"].removeprefix("#/$defs/"))
    about = (of.__doc__ or "").strip()
    head = {"$schema": DIALECT, "$id": schema_uri(type_), "title": type_, "description": about}
    schema = {**head, **{name: value for name, value in own.items() if name not in head}, **_ALSO.get(type_, {})}
    if parts:
        schema["$defs"] = parts
    return Described(type_, direction, VERSIONS.get(type_, 1), schema_uri(type_), about, schema)

"""ETags of definitions, and the conditions that name them (RFC 9110, 13.1)."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Header
from starlette.exceptions import HTTPException

from handlers.http.problems import RESPONSES
from worker.features.port import Definition

_TEXT = {"schema": {"type": "string"}}
#: For the description: what a conditional change, and a conditional read, may answer besides.
IF_MATCH: dict[int | str, Any] = {
    200: {"headers": {"ETag": {"description": "Names this version.", **_TEXT}}},
    412: {"description": "It is not the version that the condition names.", "content": RESPONSES[404]["content"]},
}
IF_NONE_MATCH: dict[int | str, Any] = {200: IF_MATCH[200], 304: {"description": "It is the version that was named."}}

Match = Annotated[
    str | None, Header(alias="If-Match", max_length=512, description="Only this version: its ETag, or `*` for any.")
]
NoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", max_length=512, description="Not this version; `*`: only if none.")
]


@dataclass(frozen=True)
class Condition:
    """What a change depends on."""

    match: str | None = None
    none_match: str | None = None

    def check(self, standing: Definition | None) -> None:
        """Raise HTTPException (412) unless what stands (None: nothing) is what the caller takes it for."""
        tag = None if standing is None else etag(standing)
        unlike = self.match is not None and not names(self.match, tag)
        if unlike or (self.none_match is not None and names(self.none_match, tag)):
            raise HTTPException(412, f"the newest version is {tag}" if tag else "there is no such feature")


def etag(definition: Definition) -> str:
    """Return what names a definition as it stands: its version, which is never given twice, and its deprecation."""
    if not definition.deprecated:
        return f'"{definition.version}"'
    return f'"{definition.version}-{hashlib.sha256(definition.deprecated.encode()).hexdigest()[:12]}"'


def names(condition: str, tag: str | None) -> bool:
    """Tell whether a list of ETags, or `*`, names a tag (None: there is nothing to be named)."""
    listed = [item.strip().removeprefix("W/") for item in condition.split(",")]
    return tag is not None and ("*" in listed or tag in listed)

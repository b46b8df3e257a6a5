"""Cursors: where the next page begins, as text that means nothing to a caller."""

import base64
import binascii
import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query

from worker.clock import from_us
from worker.errors import Rejected

CURSOR = Annotated[str | None, Query(max_length=500, description="`nextCursor` of the page before.")]


def write_cursor(*parts: str | int) -> str:
    """Return the cursor of a page's last row, given by what the list is ordered by."""
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(text: str, *types: type) -> list[Any]:
    """Return a cursor's parts. Raises Rejected unless it is one with parts of these types."""
    try:
        parts = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        parts = None
    if not isinstance(parts, list) or [type(part) for part in parts] != list(types) or not all(map(_storable, parts)):
        mend = "send `nextCursor` of the page before as it was, or leave it out"
        raise Rejected("is no cursor of this list", field="cursor", mend=mend)
    return parts


def read_moment_cursor(text: str | None) -> tuple[datetime, str] | None:
    """Return a cursor's time and id; None for the first page. Raises Rejected unless it is one with these parts."""
    if text is None:
        return None
    at, id_ = read_cursor(text, int, str)
    try:
        return from_us(at), id_
    except OverflowError as error:
        raise Rejected("is no cursor of this list", field="cursor", mend="leave it out") from error


def _storable(part: str | int) -> bool:
    """Tell whether a database takes this: no number beyond 64 bits, no NUL, no half of a character."""
    if isinstance(part, int):
        return abs(part) < 2**63
    return part.isprintable() and part.isascii()

"""What is asked of a body before it is read: that it is said to be JSON, so that no web form can send one."""

from collections.abc import Iterable

from fastapi import Request
from starlette.exceptions import HTTPException

_JSON = b"application/json"


async def json_body(request: Request) -> bytes:
    """Return a request's body. Raises HTTPException (415) unless it is said to be JSON."""
    check_json(request.scope["headers"])
    return await request.body()


def check_json(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Raise HTTPException (415) unless the headers say that the body is JSON."""
    said = next((value for name, value in headers if name == b"content-type"), b"")
    if said == _JSON:
        return
    media = said.partition(b";")[0].strip().lower()
    if media != _JSON and not (media.startswith(b"application/") and media.endswith(b"+json")):
        shown = said[:100].decode("latin-1") or "nothing"
        raise HTTPException(415, f"the body is said to be {shown}, and must be JSON")

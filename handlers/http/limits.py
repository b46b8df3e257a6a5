"""Every request body has a size limit, told by Content-Length or not, and a time in which it must come."""

import asyncio
from collections.abc import Mapping

import anyio
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handlers.http.problems import problem

MAX_BODY = 1_048_576
#: How long a body may take, in seconds.
READ_S = 60.0
#: Of a body that is refused, how much is still taken off the line, and for how long: a connection that is closed
#: while the other side is sending takes the answer away with it.
_DRAIN_BYTES, _DRAIN_S = 64 * MAX_BODY, 5.0


class LimitBody:
    """Answers 413 once a body is larger than 1 MiB, and 408 if it does not come; nothing of it reaches a handler."""

    def __init__(self, app: ASGIApp, read_s: float = READ_S, larger: Mapping[str, int] | None = None) -> None:
        """Wrap the application.

        Args:
            app: what is behind.
            read_s: how long a body may take, in seconds.
            larger: paths whose bodies may be larger → how large, in bytes.
        """
        self._app = app
        self._read_s = read_s
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body up to the limit, then hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._larger.get(scope["path"], MAX_BODY)
        declared = _declared(scope)
        if declared is None:
            # No body, nothing to wait for.
            await self._app(scope, receive, send)
            return
        if declared > limit:
            await _refuse(413, limit, receive, send)
            return
        body = await read_body(receive, limit, self._read_s)
        if isinstance(body, int):
            await _refuse(body, limit, receive, send)
        elif body is not None:
            await self._app(scope, _Whole(body, receive), send)


class _Whole:
    """Gives the body that was read, then what else the connection tells."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def _declared(scope: Scope) -> int | None:
    """Return the length that the request says its body has; 0 if it says none, None if it says that it has no body."""
    headers = dict(scope["headers"])
    text = headers.get(b"content-length", b"")
    # HTTP/1.1: a request with neither header has no body.
    if not text and b"transfer-encoding" not in headers and scope.get("http_version", "").startswith("1"):
        return None
    return int(text) if text.isdigit() else 0


async def read_body(receive: Receive, limit: int, read_s: float = READ_S) -> bytes | int | None:
    """Return the body; the status 413 if it is too large, 408 if it does not come, None if the client has gone."""
    parts = bytearray()
    try:
        async with asyncio.timeout(read_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                part = message.get("body", b"")
                # Most bodies come in one piece; one that comes in many tiny ones must not be copied for each.
                if not parts and not message.get("more_body", False):
                    return part if len(part) <= limit else 413
                parts += part
                if len(parts) > limit:
                    return 413
                if not message.get("more_body", False):
                    return bytes(parts)
    except TimeoutError:
        return 408


async def _refuse(status: int, limit: int, receive: Receive, send: Send) -> None:
    """Answer at once, then take the rest of the body off the line before the connection is closed."""
    answer = _answer(status, limit)
    await send({"type": "http.response.start", "status": status, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    taken = 0
    with anyio.move_on_after(_DRAIN_S):
        while taken < _DRAIN_BYTES:
            message = await receive()
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                break
            taken += len(message.get("body", b""))
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def late() -> Response:
    """Return what is answered where a body did not come."""
    headers = {"Connection": "close"}
    return problem(408, "the body did not come in time", field="body", mend="send it at once", headers=headers)


def _answer(status: int, limit: int) -> Response:
    if status == 408:
        return late()
    headers = {"Connection": "close"}
    words = f"a body has at most {limit:,} bytes"
    return problem(413, words, field="body", mend="send it in parts", headers=headers)

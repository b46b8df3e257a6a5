"""Every request body has a size limit, told by Content-Length or not."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 1_048_576
_TOO_LARGE = (
    b'{"type":"about:blank","title":"Payload Too Large","status":413,"detail":"a body has at most 1,048,576 bytes"}'
)


class LimitBody:
    """Answers 413 once a body is larger than 1 MiB; nothing of it reaches a handler."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body up to the limit, then hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if len(body) > MAX_BODY:
                await _refuse(send)
                return
            more = message.get("more_body", False)
        handed = False

        async def whole() -> Message:
            nonlocal handed
            if handed:
                return await receive()
            handed = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, whole, send)


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": _TOO_LARGE})

"""Every request body has a size limit, told by Content-Length or not."""

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handlers.http.problems import problem

MAX_BODY = 1_048_576


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
                await _too_large()(scope, receive, send)
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


def _too_large() -> JSONResponse:
    words = f"a body has at most {MAX_BODY:,} bytes"
    return problem(413, words, field="body", mend="send it in parts", headers={"Connection": "close"})

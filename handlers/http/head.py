"""HEAD is answered wherever GET is, with the same headers and no body, as HTTP asks of every server."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class AnswerHead:
    """Hands a HEAD on as a GET, and lets nothing of the body out."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; the answer ends with its headers, also that of a stream, which would have no end."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def only_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app({**scope, "method": "GET"}, receive, only_headers)

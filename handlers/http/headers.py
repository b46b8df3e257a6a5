"""The headers that every answer carries, so that no browser does with it what it should not."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
#: As ASGI has them.
READY = [(name.lower().encode(), value.encode()) for name, value in SECURITY.items()]
DOCS = "/api/mlops/docs"
#: FastAPI's page loads Swagger UI from where these point.
_DOCS_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data: https://fastapi.tiangolo.com; "
    "script-src 'unsafe-inline' https://cdn.jsdelivr.net; style-src 'unsafe-inline' https://cdn.jsdelivr.net; "
    "frame-ancestors 'none'"
)


class SecurityHeaders:
    """Adds the headers to each answer that does not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, adding to the start of the answer."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                names = {name for name, _ in given}
                message["headers"] = [*given, *(pair for pair in READY if pair[0] not in names)]
                if scope.get("path") == DOCS:
                    MutableHeaders(scope=message)["Content-Security-Policy"] = _DOCS_POLICY
            await send(message)

        await self._app(scope, receive, with_headers)

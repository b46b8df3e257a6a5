"""What is logged while a request is answered names the trace that the request is part of."""

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.tracing import GOOGLE_NAME, W3C_NAMES, trace_of

_NAMES = {name.encode() for name in (W3C_NAMES[0], GOOGLE_NAME)}


class Traced:
    """Binds a request's trace to the log; a request without one costs a look at its headers."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request inside its trace."""
        given = {name.decode(): value.decode("latin-1") for name, value in scope.get("headers", ()) if name in _NAMES}
        trace = trace_of(given) if given else {}
        if not trace:
            await self._app(scope, receive, send)
            return
        with structlog.contextvars.bound_contextvars(**trace):
            await self._app(scope, receive, send)

"""On loopback without tokens: only programs of this machine, no web page that a browser here has opened."""

from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.http.access import is_loopback
from handlers.http.problems import problem


class LocalOnly:
    """Refuses requests in another host's name (DNS rebinding), and those of other origins' pages."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        """`origins` are the web origins whose pages may call."""
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 403."""
        fault = self._fault(Headers(scope=scope)) if scope["type"] == "http" else ""
        if not fault:
            await self._app(scope, receive, send)
            return
        mend = "call http://127.0.0.1 or http://localhost; for other machines and pages see COLONY_AUTH in the README"
        await problem(403, fault, mend=mend)(scope, receive, send)

    def _fault(self, headers: Headers) -> str:
        if not _local(f"//{headers.get('host', '')}"):
            return "without authentication only this machine is answered, by its own name"
        origin = headers.get("origin")
        if origin and origin not in self._origins and not _local(origin):
            return "without authentication no other web page is answered"
        return ""


@lru_cache(maxsize=256)
def _local(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False

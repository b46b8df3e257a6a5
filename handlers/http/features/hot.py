"""The two online reads as bare ASGI in front of the router: their bytes are ready, and its ways cost more than a read.

Everything before the router still holds: authentication, rate limit, body limit, headers. The same reads are routes as
well, for the API's description and for paths that were encoded where they need not be.
"""

from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.http.features.bodies import check_json
from handlers.http.features.online import PREFIX, OnlineReads
from handlers.http.problems import expected, refused
from handlers.http.scopes import check_caller
from handlers.http.services import Services
from worker.access.token import Scope as Allowed
from worker.errors import ColonyError, Rejected

BATCH = PREFIX + b"batch"
_SLASHES = PREFIX.count(b"/") + 1


class HotReads:
    """Answers online reads, and passes everything else on."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        """Wrap the application."""
        self._app = app
        self._reads = OnlineReads(services)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a read, or pass on."""
        if scope["type"] != "http" or not is_read(scope["method"], scope.get("raw_path", b"")):
            await self._app(scope, receive, send)
            return
        try:
            body = await self._answer(scope, receive)
        except ColonyError as error:
            await expected(error)(scope, receive, send)
        except HTTPException as error:
            await refused(error)(scope, receive, send)
        else:
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> bytes:
        caller = scope["state"]["caller"]
        check_caller(caller, Allowed.READ)
        for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
            raise Rejected("is not a parameter here", field=name, mend="known: none")
        if scope["method"] == "GET":
            return await self._reads.one(scope["raw_path"], caller)
        check_json(scope["headers"])
        return await self._reads.many(await _body(receive), caller)


def is_read(method: str, raw_path: bytes) -> bool:
    """Tell whether a request is an online read; words that no feature can be called are others' resources."""
    if not raw_path.startswith(PREFIX):
        return False
    if method == "GET":
        return raw_path.count(b"/") == _SLASHES and not raw_path.endswith(_OTHERS)
    return method == "POST" and raw_path == BATCH


_OTHERS = (b"/", b"/usage")


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    return body

"""The two online reads as bare ASGI before everything else: their bytes are ready, and the way to a route costs more.

What holds for each request holds here as well: authentication, rate limit, body limit, headers. The same reads are
routes, too, for the API's description and for requests that are not the usual ones.
"""

from urllib.parse import parse_qsl

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.http.features.bodies import check_json
from handlers.http.features.online import PREFIX, OnlineReads
from handlers.http.guard import Door, Refused
from handlers.http.headers import READY, SecurityHeaders
from handlers.http.limits import late, read_body
from handlers.http.problems import expected, refused, unforeseen
from handlers.http.scopes import check_caller
from handlers.http.services import Services
from worker.access.token import Caller
from worker.access.token import Scope as Allowed
from worker.errors import ColonyError, Rejected

BATCH = PREFIX + b"batch"
#: Of a batch that is answered here, in bytes.
MAX_BODY = 65_536
_SLASHES = PREFIX.count(b"/") + 1
#: No feature is called so: these are other resources.
_OTHERS = (b"/", b"/usage")
_FORESEEN = (Refused, ColonyError, HTTPException, TimeoutError)


class Api(FastAPI):
    """The API, with a way past its routes for what must be fast."""

    hot: "HotReads | None" = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self.hot is not None and is_read(scope):
            await self.hot(scope, receive, send)
        else:
            await super().__call__(_with_slashes(scope), receive, send)


class HotReads:
    """Answers online reads."""

    def __init__(self, services: Services, door: Door) -> None:
        """Let in whom the door admits."""
        self._reads = OnlineReads(services)
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a read."""
        caller = None
        try:
            caller = await self._door.admit(scope)
            body = await self._answer(scope, receive, caller)
        except Exception as error:
            await _explained(error)(scope, receive, send)
            if not isinstance(error, _FORESEEN):
                raise
        else:
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *READY]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        if caller is not None:
            await self._door.let_out(caller)

    async def _answer(self, scope: Scope, receive: Receive, caller: Caller) -> bytes:
        check_caller(caller, Allowed.READ)
        query: bytes = scope["query_string"]
        for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True) if query else ():
            raise Rejected("is not a parameter here", field=name, mend="known: none")
        if scope["method"] == "GET":
            return await self._reads.one(scope["raw_path"], caller)
        check_json(scope["headers"])
        body = await read_body(receive, MAX_BODY)
        if not isinstance(body, bytes):
            raise TimeoutError
        return await self._reads.many(body, caller)


def _explained(error: Exception) -> ASGIApp:
    """Return the answer to whatever went wrong."""
    answer: Response
    if isinstance(error, Refused):
        answer = error.answer()
    elif isinstance(error, ColonyError):
        answer = expected(error)
    elif isinstance(error, HTTPException):
        answer = refused(error)
    else:
        answer = late() if isinstance(error, TimeoutError) else unforeseen()
    return SecurityHeaders(answer)


def is_read(scope: Scope) -> bool:
    """Tell whether a request is an online read of the usual kind."""
    raw_path: bytes = scope.get("raw_path") or b""
    if scope["type"] != "http" or not raw_path.startswith(PREFIX):
        return False
    if scope["method"] == "GET":
        return raw_path.count(b"/") == _SLASHES and not raw_path.endswith(_OTHERS)
    return scope["method"] == "POST" and raw_path == BATCH and _is_small(scope)


def _with_slashes(scope: Scope) -> Scope:
    """Return a scope whose path has the segments that were sent: a slash inside an entity's id stays encoded."""
    raw_path: bytes = scope.get("raw_path") or b""
    if raw_path.startswith(PREFIX) and b"%2f" in raw_path.lower():
        return {**scope, "path": raw_path.decode("latin-1")}
    return scope


def _is_small(scope: Scope) -> bool:
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return length.isdigit() and int(length) <= MAX_BODY

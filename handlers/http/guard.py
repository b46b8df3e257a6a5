"""The door of the API: who calls, and whether they may call again so soon; nothing is read of a body before."""

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache

import structlog
from anyio import to_thread
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.http.access import Access
from handlers.http.authentication import Authenticator
from handlers.http.problems import problem
from handlers.http.push_sender import NotForUs, Sender
from handlers.http.rate import MAX_CALLERS, Buckets
from worker.access.link import PATH
from worker.access.token import ALL, Caller, digest
from worker.errors import TryLater

log = structlog.get_logger()

#: Answer without a token: whether we are well, and the API's description.
OPEN = frozenset({"/healthz", "/readyz", "/api/mlops/docs", "/api/mlops/openapi.json"})
#: What a signature opens is checked where it is asked for.
SIGNED = f"{PATH}/"
#: Where Pub/Sub delivers by pushing.
PUSH = "/api/mlops/events/push"
_PROBE = "/healthz"
_LOCAL, _ANYONE = Caller("local", ALL), Caller("anyone", frozenset())


class Door:
    """Who may come in, and how often; one for all ways into the API, so that they count together."""

    def __init__(self, access: Access, authenticator: Authenticator, sender: Sender | None = None) -> None:
        """Let nobody in yet; `sender` judges who pushes messages."""
        self._access = access
        self._sender = sender
        self._authenticator = authenticator
        self._failures = Buckets(access.failures)
        self._requests = Buckets(access.requests)
        # Hashes of credentials that were good: others behind their address cannot lock them out.
        self._good: OrderedDict[str, None] = OrderedDict()

    async def admit(self, scope: Scope) -> Caller:
        """Return who makes a request. Raises Refused (401, 429 or 503)."""
        address = _address(str((scope.get("client") or ("unknown",))[0]))
        pushing = await self._pushing(scope)
        if pushing:
            # Pub/Sub slows down by itself; others behind Google's addresses must not hold it up.
            return pushing
        caller = await self._caller(scope, address)
        wait_s = 0.0 if scope["path"] == _PROBE else self._requests.take(_key(caller, address))
        if wait_s:
            raise Refused(429, "more requests than allowed", {"Retry-After": str(math.ceil(wait_s))})
        return caller

    async def let_out(self, caller: Caller) -> None:
        """Note once in a while, after its answer, that a caller's token is in use."""
        if self._access.guarded and caller is not _ANYONE and self._authenticator.owes_note(caller):
            await to_thread.run_sync(self._authenticator.note, caller)

    async def _pushing(self, scope: Scope) -> Caller | None:
        """Return Pub/Sub, if it is the one who calls; None if that is to be judged as any other request is."""
        if self._sender is None or scope["path"] != PUSH:
            return None
        credential = _credential(Headers(scope=scope))
        if credential and not self._sender.takes(credential):
            return None
        try:
            caller = await to_thread.run_sync(self._sender.caller, credential) if credential else None
        except NotForUs as error:
            log.warning("a push token is not for us", reason=str(error))
            raise Refused(403, str(error), {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}) from error
        except TryLater as error:
            log.warning("a caller could not be checked", reason=str(error))
            raise Refused(503, "who calls cannot be checked now", {"Retry-After": "5"}) from error
        if caller is None:
            words = 'Bearer error="invalid_token"' if credential else "Bearer"
            raise Refused(401, "a valid token of the account that pushes is needed", {"WWW-Authenticate": words})
        return caller

    async def _caller(self, scope: Scope, address: str) -> Caller:
        if not self._access.guarded:
            return _LOCAL
        if scope["path"] in OPEN or scope["path"].startswith(SIGNED):
            return _ANYONE
        credential = _credential(Headers(scope=scope))
        if not credential:
            raise Refused(401, "show a token: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
        hashed = digest(credential)
        wait_s = 0.0 if hashed in self._good else self._failures.wait_s(address)
        if wait_s:
            raise Refused(429, "too many wrong tokens from this address", {"Retry-After": str(math.ceil(wait_s))})
        try:
            caller = await to_thread.run_sync(self._authenticator.caller, credential)
        except TryLater as error:
            log.warning("a caller could not be checked", reason=str(error))
            raise Refused(503, "who calls cannot be checked now", {"Retry-After": "5"}) from error
        if caller is None:
            self._good.pop(hashed, None)
            self._failures.take(address)
            # The path is a stranger's: it must not be able to write lines of its own.
            path = scope["path"][:200].encode("unicode_escape").decode()
            log.warning("wrong token", address=address, path=path)
            words = "the token is wrong, revoked, expired or not meant for us"
            raise Refused(401, words, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        self._remember(hashed)
        return caller

    def _remember(self, hashed: str) -> None:
        self._good[hashed] = None
        self._good.move_to_end(hashed)
        while len(self._good) > MAX_CALLERS:
            self._good.popitem(last=False)


class Guard:
    """Puts the caller into the request's state, or answers 401, 429 or 503 itself."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        """Wrap the application."""
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._door.admit(scope)
        except Refused as refused:
            await refused.answer()(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)
        await self._door.let_out(caller)


class Refused(Exception):
    """A request that is not let through."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str]) -> None:
        """Keep the answer's parts."""
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers

    def answer(self) -> Response:
        """Return what is answered."""
        return problem(self.status, self.reason, headers=self.headers)


def _credential(headers: Headers) -> str:
    given = headers.getlist("authorization")
    scheme, _, credential = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return credential.strip() if scheme.lower() == "bearer" else ""


def _key(caller: Caller, address: str) -> str:
    return f"address {address}" if caller in (_LOCAL, _ANYONE) else f"caller {caller.name}"


@lru_cache(maxsize=MAX_CALLERS)
def _address(host: str) -> str:
    """Return who counts as one caller: an IPv4 address, or the /64 that one IPv6 subscriber has."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:64]
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)

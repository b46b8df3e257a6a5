import asyncio
from typing import Any

import structlog

from handlers.http.traced import Traced

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def _bound(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    """Return what is bound to the log while a request with these headers is answered."""
    seen: dict[str, Any] = {}

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        seen.update(structlog.contextvars.get_contextvars())

    async def nothing(*_: Any) -> Any:
        """No body comes, and none is sent."""

    asyncio.run(Traced(app)({"type": "http", "headers": list(headers)}, nothing, nothing))
    return seen


def test_what_is_logged_names_the_requests_trace() -> None:
    """A request's trace is bound while it is answered, and no longer."""
    assert _bound((b"traceparent", f"00-{TRACE}-{SPAN}-01".encode())) == {"trace_id": TRACE, "span_id": SPAN}
    assert structlog.contextvars.get_contextvars() == {}


def test_a_request_without_a_trace_binds_nothing() -> None:
    """No header, or one that is no trace, leaves the log as it is."""
    assert _bound((b"host", b"x")) == {}
    assert _bound((b"traceparent", b"\xff\xfe")) == {}

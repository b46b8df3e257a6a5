"""The HTTP side of the model server: health, and predictions in batches."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from worker.adapters.models.server.fleet import Fleet
from worker.errors import Rejected
from worker.models.instances import MAX_INSTANCES

log = structlog.get_logger()

#: What Vertex AI lets through to a dedicated endpoint, in bytes.
MAX_BODY = 10 * 1024 * 1024
#: How long a body may take, in seconds.
READ_S = 60.0


@dataclass
class Served:
    """The models once the server's own is loaded."""

    fleet: Fleet | None = None


def build(served: Served, *, health: str, predict: str, limit: int = MAX_INSTANCES, body: int = MAX_BODY) -> FastAPI:
    """Return the server's application.

    Args:
        served: holds the models from the moment that the server's own is loaded.
        health: the path that says whether it is.
        predict: the path that predicts.
        limit: how many instances a request may have.
        body: how many bytes.
    """
    api = FastAPI(openapi_url=None)

    @api.get(health)
    def healthy() -> JSONResponse:
        if served.fleet is None:
            return JSONResponse({"status": "loading"}, status_code=503, headers={"Retry-After": "1"})
        return JSONResponse({"status": "ready"})

    @api.post(predict)
    async def predicted(request: Request) -> JSONResponse:
        fleet = served.fleet
        if fleet is None:
            return _fault(503, "the model is being loaded")
        try:
            content = await asyncio.wait_for(_read(request, body), READ_S)
        except TimeoutError:
            return _fault(408, "the body did not come in time", "body", "send it at once")
        if content is None:
            return _fault(413, f"has more than {body:,} bytes", "body", "send the instances in parts")
        try:
            return JSONResponse(await run_in_threadpool(_scored, fleet, content, limit))
        except Rejected as error:
            return _fault(422, error.reason, error.field, error.mend)

    @api.exception_handler(Exception)
    def unforeseen(_request: Request, error: Exception) -> JSONResponse:
        log.error("prediction failed", reason=f"{type(error).__name__}: {error}")
        return _fault(500, "something unforeseen; the log has it")

    return api


def _scored(fleet: Fleet, content: bytes, limit: int) -> Mapping[str, Any]:
    try:
        body = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        mend = "send JSON in UTF-8, null instead of NaN"
        raise Rejected(f"is not JSON: {error}", field="body", mend=mend) from error
    return fleet.predict(body, limit)


async def _read(request: Request, limit: int) -> bytes | None:
    """Return the body, None if it is larger than the limit."""
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > limit:
            return None
    return bytes(parts)


def _fault(status: int, reason: str, field: str = "", mend: str = "") -> JSONResponse:
    return JSONResponse({"error": {"message": reason, "field": field, "mend": mend}}, status_code=status)

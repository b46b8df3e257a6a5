"""`GET pipeline/run/{runId}/events`: a run's state as server-sent events, from now until it is settled."""
# ruff: noqa: N803 - the API is camelCase

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from handlers.http.pipelines import RunName, find_run
from handlers.http.problems import RESPONSES
from handlers.http.scopes import needs
from handlers.http.services import Services
from worker.access.token import Scope
from worker.errors import TryLater
from worker.ledger import Ledger
from worker.runs.shown import shown_run

POLL_S, ALIVE_S = 0.5, 15.0
#: After this the stream ends and the client comes back, with a token that is checked again.
LONGEST_S = 3600.0
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
#: One event of the stream.
_EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "id": {"type": "string", "description": "Of `state` only: to be sent back as Last-Event-ID."},
        "event": {"enum": ["state", "end"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`state` with the run (without log tails) whenever it changes; `end` once it is settled.",
        "content": {
            "text/event-stream": {
                "schema": _EVENT,
                "example": 'id: 5d41402abc4b2a76\nevent: state\ndata: {"runId": "auto-retrain-spam-guard-…", …}\n\n',
            }
        },
    }
}


def routes(services: Services) -> APIRouter:
    """Return the route of a run's events."""
    router = APIRouter(responses=RESPONSES, prefix="/pipeline")
    streams = Streams(services.ledger, services.access.streams)

    @router.get("/run/{runId}/events", response_class=StreamingResponse, responses=_STREAM, **needs(Scope.READ))
    async def follow_run(
        runId: RunName, last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=64)] = None
    ) -> StreamingResponse:
        """Follow a run live. A client that comes back with Last-Event-ID is told only what it does not know."""
        await to_thread.run_sync(find_run, services.ledger, runId)
        if streams.full:
            raise HTTPException(429, "too many event streams are open here", headers={"Retry-After": "30"})
        return StreamingResponse(streams.follow(runId, last), media_type="text/event-stream", headers=_HEADERS)

    return router


class Streams:
    """The open streams of this process, bounded; used from one event loop."""

    def __init__(self, ledger: Ledger, most: int, *, poll_s: float = POLL_S, alive_s: float = ALIVE_S) -> None:
        """`poll_s`: how often the ledger is asked; `alive_s`: how often a client hears something; in seconds."""
        self._ledger = ledger
        self._most = most
        self._poll_s = poll_s
        self._alive_s = alive_s
        self._open = 0

    @property
    def full(self) -> bool:
        """Whether no further stream may be opened."""
        return self._open >= self._most

    async def follow(self, run_id: str, last: str | None) -> AsyncIterator[str]:
        """Yield the run's events until it is settled; `last` is the id of the state that the client knows."""
        self._open += 1
        try:
            async for text in self._events(run_id, last):
                yield text
        finally:
            self._open -= 1

    async def _events(self, run_id: str, last: str | None) -> AsyncIterator[str]:
        end = time.monotonic() + LONGEST_S
        spoken = time.monotonic()
        yield "retry: 2000\n\n"
        while time.monotonic() < end:
            state = await self._state(run_id)
            if state is not None and _id(state) != last:
                last, spoken = _id(state), time.monotonic()
                yield _event("state", state)
            if state is not None and state["settled"]:
                yield _event("end", {"runId": run_id, "status": state["status"], "verdict": state["verdict"]})
                return
            if time.monotonic() - spoken >= self._alive_s:
                spoken = time.monotonic()
                yield ": alive\n\n"
            await asyncio.sleep(self._poll_s)

    async def _state(self, run_id: str) -> dict[str, Any] | None:
        """Return the run as it is, without what only grows; None while the ledger is away."""
        try:
            run, steps = await to_thread.run_sync(find_run, self._ledger, run_id)
        except TryLater:
            return None
        shown = shown_run(run, steps)
        return {**shown, "steps": [{k: v for k, v in step.items() if k != "logTail"} for step in shown["steps"]]}


def _id(state: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:16]


def _event(kind: str, data: dict[str, Any]) -> str:
    identity = f"id: {_id(data)}\n" if kind == "state" else ""
    return f"{identity}event: {kind}\ndata: {json.dumps(data)}\n\n"

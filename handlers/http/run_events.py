"""`GET pipeline/run/{runId}/events`: a run's state as server-sent events, from now until it is settled."""
# ruff: noqa: N803 - the API is camelCase

import asyncio
import hashlib
import json
import math
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
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
from worker.runs.lifecycle import Run
from worker.runs.port import StepState
from worker.runs.shown import shown_run

POLL_S, ALIVE_S = 0.25, 15.0
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


@dataclass(frozen=True)
class _Look:
    """A run as it was at one moment, as its events tell it."""

    id: str
    state: str
    end: str | None

    @classmethod
    def at(cls, run: Run, steps: Sequence[StepState]) -> "_Look":
        """Tell the run without what only grows."""
        shown = shown_run(run, steps)
        shown["steps"] = [{k: v for k, v in step.items() if k != "logTail"} for step in shown["steps"]]
        text = json.dumps(shown)
        id_ = hashlib.sha256(text.encode()).hexdigest()[:16]
        ended = {"runId": run.id, "status": shown["status"], "verdict": shown["verdict"]}
        end = f"event: end\ndata: {json.dumps(ended)}\n\n" if run.settled else None
        return cls(id_, f"id: {id_}\nevent: state\ndata: {text}\n\n", end)


@dataclass
class _Watched:
    """A run that somebody follows, looked at once for all who do."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    followers: int = 0
    looked_at: float = -math.inf
    look: _Look | None = None


class Streams:
    """The open streams of this process, bounded; used from one event loop."""

    def __init__(self, ledger: Ledger, most: int, *, poll_s: float = POLL_S, alive_s: float = ALIVE_S) -> None:
        """`poll_s`: how often the ledger is asked; `alive_s`: how often a client hears something; in seconds."""
        self._ledger = ledger
        self._most = most
        self._poll_s = poll_s
        self._alive_s = alive_s
        self._watched: dict[str, _Watched] = {}

    @property
    def full(self) -> bool:
        """Whether no further stream may be opened."""
        return sum(watched.followers for watched in self._watched.values()) >= self._most

    async def follow(self, run_id: str, last: str | None) -> AsyncIterator[str]:
        """Yield the run's events until it is settled; `last` is the id of the state that the client knows."""
        watched = self._watched.setdefault(run_id, _Watched())
        watched.followers += 1
        try:
            async for text in self._events(run_id, watched, last):
                yield text
        finally:
            watched.followers -= 1
            if not watched.followers:
                self._watched.pop(run_id, None)

    async def _events(self, run_id: str, watched: _Watched, last: str | None) -> AsyncIterator[str]:
        end = time.monotonic() + LONGEST_S
        spoken = time.monotonic()
        yield "retry: 2000\n\n"
        while time.monotonic() < end:
            look = await self._look(run_id, watched)
            if look and look.id != last:
                last, spoken = look.id, time.monotonic()
                yield look.state
            if look and look.end:
                yield look.end
                return
            if time.monotonic() - spoken >= self._alive_s:
                spoken = time.monotonic()
                yield ": alive\n\n"
            await asyncio.sleep(self._poll_s)

    async def _look(self, run_id: str, watched: _Watched) -> _Look | None:
        """Return the run as it is, or was for another follower just now; None while the ledger is away."""
        async with watched.lock:
            if time.monotonic() - watched.looked_at >= self._poll_s:
                try:
                    watched.look = _Look.at(*await to_thread.run_sync(find_run, self._ledger, run_id))
                except TryLater:
                    watched.look = None
                watched.looked_at = time.monotonic()
            return watched.look

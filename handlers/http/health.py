"""`/healthz`: the process answers. `/readyz`: the ledger answers and no loop is stuck. `/metrics`: what was counted."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from handlers.commands.pause import pauses, said
from handlers.http.problems import RESPONSES
from handlers.http.scopes import needs
from handlers.http.services import Services
from handlers.http.shapes import Health, Readiness
from worker.access.token import Scope
from worker.errors import TryLater

_AWAY: dict[int | str, dict[str, Any]] = {
    503: {"description": "A part is away; the body says which.", "model": Readiness}
}
_METRICS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Prometheus text.",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": "colony_runs_active 0\n"}},
    }
}


def probes(services: Services) -> APIRouter:
    """Return the probes, which ask for no token and tell strangers no more than which part is away."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", openapi_extra={"security": []})
    async def healthz() -> Health:
        """Answer."""
        return Health(status="ok")

    @router.get("/readyz", openapi_extra={"security": []}, responses={429: RESPONSES[429], **_AWAY})
    def readyz(response: Response) -> Readiness:
        """Tell whether the ledger answers and every loop of this process turns.

        A fault that leaves it able to do its work, as a faulty new policy beside the one in force, is told, no more.
        """
        faults = _faults(services)
        minor = {loop.name for loop in services.loops if not loop.vital and loop.is_alive()}
        away = bool(faults.keys() - minor)
        response.status_code = 503 if away else 200
        shown = dict.fromkeys(faults, "the log has the reason") if services.access.guarded else faults
        return Readiness(status="unavailable" if away else "ok", faults=shown, paused=_paused(services))

    return router


def metrics(services: Services) -> APIRouter:
    """Return the route of the metrics."""
    router = APIRouter(tags=["health"], responses={status: RESPONSES[status] for status in (401, 403, 429, 500, 503)})

    @router.get("/metrics", response_class=PlainTextResponse, responses=_METRICS, **needs(Scope.READ))
    def get_metrics() -> PlainTextResponse:
        """Render what this process has counted."""
        services.instruments.look(services.ledger)
        return PlainTextResponse(services.instruments.metrics.render(), media_type="text/plain; version=0.0.4")

    return router


def _paused(services: Services) -> list[str]:
    """Return what is paused; strangers learn no names and no reasons."""
    try:
        with services.ledger.begin(write=False) as transaction:
            found = pauses(transaction, services.clock())
    except TryLater:
        return []
    if services.access.guarded:
        return (["colony"] if found.colony else []) + (["bees"] if found.bees else [])
    colony = [f"the colony is {said(found.colony)}"] if found.colony else []
    return colony + [f"{bee} is {said(pause)}" for bee, pause in sorted(found.bees.items())]


def _faults(services: Services) -> dict[str, str]:
    faults = {loop.name: loop.fault for loop in services.loops if loop.fault}
    faults |= {loop.name: "has stopped" for loop in services.loops if not loop.is_alive()}
    try:
        with services.ledger.begin(write=False) as transaction:
            transaction.runs.unsettled()
    except TryLater as error:
        faults["ledger"] = str(error)
    return faults

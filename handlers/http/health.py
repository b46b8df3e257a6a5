"""`/healthz`: the process answers. `/readyz`: the ledger answers and no loop is stuck. `/metrics`: what was counted."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from handlers.http.services import Services
from worker.errors import TryLater


def routes(services: Services) -> APIRouter:
    """Return the health routes; they stand outside `/api/mlops` and ask for no token."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz", responses={503: {"description": "a part is away; the body says which"}})
    def readyz(response: Response) -> dict[str, object]:
        faults = {loop.name: loop.fault for loop in services.loops if loop.fault}
        faults |= {loop.name: "has stopped" for loop in services.loops if not loop.is_alive()}
        try:
            with services.ledger.begin(write=False) as transaction:
                transaction.runs.unsettled()
        except TryLater as error:
            faults["ledger"] = str(error)
        response.status_code = 503 if faults else 200
        return {"status": "unavailable" if faults else "ok", "faults": faults}

    @router.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> PlainTextResponse:
        services.instruments.look(services.ledger)
        return PlainTextResponse(services.instruments.metrics.render(), media_type="text/plain; version=0.0.4")

    return router

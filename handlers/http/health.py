"""`/healthz`: the process answers. `/readyz`: the ledger answers and no loop is stuck."""

from fastapi import APIRouter, Response

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

    return router

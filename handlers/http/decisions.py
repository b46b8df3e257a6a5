"""`GET decisions`: what was decided about each evaluation, and why."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from handlers.http.problems import RESPONSES
from handlers.http.services import Services
from worker.bee import BEE_ID
from worker.decide.journal import printed


def routes(services: Services) -> APIRouter:
    """Return the routes of the journal."""
    router = APIRouter(responses=RESPONSES)

    @router.get("/decisions")
    def decisions(
        beeId: Annotated[str | None, Query(pattern=f"^{BEE_ID.pattern}$")] = None,  # noqa: N803 - the API is camelCase
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, list[dict[str, Any]]]:
        """List the newest decisions, in the order they were made."""
        with services.ledger.begin(write=False) as transaction:
            return {"decisions": [printed(entry) for entry in transaction.decisions.list(bee=beeId, limit=limit)]}

    return router

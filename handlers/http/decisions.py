"""`GET decisions`: what was decided about each evaluation, and why."""

from typing import Annotated

from fastapi import APIRouter, Query

from handlers.http.cursors import CURSOR, read_cursor, write_cursor
from handlers.http.problems import RESPONSES
from handlers.http.scopes import needs
from handlers.http.services import Services
from handlers.http.shapes import BeeId, DecisionPage, DecisionShown
from worker.access.token import Scope
from worker.decide.journal import printed


def routes(services: Services) -> APIRouter:
    """Return the routes of the journal."""
    router = APIRouter(responses=RESPONSES)

    @router.get("/decisions", **needs(Scope.READ))
    def list_decisions(
        beeId: Annotated[BeeId | None, Query(description="Only this bee's.")] = None,  # noqa: N803 - the API is camelCase
        cursor: CURSOR = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> DecisionPage:
        """List the newest decisions, in the order they were made; `nextCursor` leads to the ones before them."""
        before = None if cursor is None else read_cursor(cursor, int)[0]
        with services.ledger.begin(write=False) as transaction:
            page, older = transaction.decisions.page(bee=beeId, before=before, limit=limit)
        return DecisionPage(
            decisions=[DecisionShown(**printed(entry)) for entry in page],
            nextCursor=None if older is None else write_cursor(older),
        )

    return router

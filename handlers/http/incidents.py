"""`incidents`: what is wrong and what is done about it; close one by hand, or have it tried again."""
# ruff: noqa: N803 - the API is camelCase

from typing import Annotated

from fastapi import APIRouter, Query, Request

from handlers.commands.show_incident import shown_incident
from handlers.commands.tend_incident import close_incident, find_incident, retry_incident
from handlers.http.cursors import CURSOR, read_moment_cursor, write_cursor
from handlers.http.operating import IncidentName, IncidentPage, IncidentShown, ReasonRequest, RetryShown, operator
from handlers.http.problems import RESPONSES
from handlers.http.scopes import needs
from handlers.http.services import Services
from handlers.http.shapes import BeeId
from worker.access.token import Scope
from worker.clock import to_us
from worker.incidents.machine import State


def routes(services: Services) -> APIRouter:
    """Return the routes of incidents."""
    router = APIRouter(responses=RESPONSES)

    @router.get("/incidents", **needs(Scope.READ))
    def list_incidents(
        *,
        beeId: Annotated[BeeId | None, Query(description="Only this bee's.")] = None,
        state: Annotated[State | None, Query(description="Only those in this state.")] = None,
        cursor: CURSOR = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> IncidentPage:
        """List incidents with their stories, newest first."""
        before = read_moment_cursor(cursor)
        with services.ledger.begin(write=False) as transaction:
            found = transaction.incidents.page(bee=beeId, state=state, before=before, limit=limit + 1)
            page = found[:limit]
            shown = [IncidentShown(**shown_incident(one, transaction, services.policy())) for one in page]
        older = write_cursor(to_us(page[-1].opened_at), page[-1].id) if len(found) > limit else None
        return IncidentPage(incidents=shown, nextCursor=older)

    @router.get("/incidents/{incidentId}", **needs(Scope.READ))
    def get_incident(incidentId: IncidentName) -> IncidentShown:
        """Tell an incident's story in order, what it waits for, and what happens next."""
        return _shown(services, incidentId)

    @router.post("/incidents/{incidentId}/close", **needs(Scope.OPERATE))
    def close(incidentId: IncidentName, asked: ReasonRequest, request: Request) -> IncidentShown:
        """Close an incident by hand; the next bad evaluation opens another."""
        close_incident(operator(services, request), incidentId, asked.reason)
        return _shown(services, incidentId)

    @router.post("/incidents/{incidentId}/retry", **needs(Scope.OPERATE))
    def retry(incidentId: IncidentName, asked: ReasonRequest, request: Request) -> RetryShown:
        """Have another attempt, whatever the limit of attempts and the back-off say; other guards still hold it."""
        _, run = retry_incident(operator(services, request), incidentId, asked.reason)
        return RetryShown(incident=_shown(services, incidentId), runId=run.id if run else None)

    return router


def _shown(services: Services, incident_id: str) -> IncidentShown:
    with services.ledger.begin(write=False) as transaction:
        found = find_incident(transaction, incident_id)
        return IncidentShown(**shown_incident(found, transaction, services.policy()))

"""`ab-tests`: versions that are tried side by side on live traffic; what was found, and an end by hand.

One is begun like any run: `POST pipeline/trigger` with the template `ab-test`.
"""
# ruff: noqa: N803, N815 - the API is camelCase

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel

from handlers.commands.ab_tests import find_test, list_tests, shown_trial, stop_test
from handlers.http.operating import ReasonRequest, operator
from handlers.http.problems import RESPONSES
from handlers.http.scopes import needs
from handlers.http.services import Services
from handlers.http.shapes import BeeId
from worker.abtest.machine import State
from worker.access.token import Scope

TestName = Annotated[str, Path(pattern="^ab-[a-z0-9]{1,64}$", description="As `ab-tests` lists it.")]


class AbTestShown(BaseModel):
    """A test: its plan, what was expected of it, and what was found (null before the first look).

    `results.effects` tell each version against the control, positive is better; their intervals hold at all looks
    together. `results.slices` are exploratory.
    """

    testId: str
    beeId: str
    state: str
    versions: list[str]
    control: str
    plannedSplit: dict[str, int]
    trafficSplit: dict[str, int]
    plan: dict[str, Any]
    champion: str
    runId: str | None
    forced: dict[str, str]
    startedAt: str
    endsBy: str
    endedAt: str | None
    reason: str
    winner: str | None
    stoppedBy: str | None
    forecast: dict[str, Any] | None
    results: dict[str, Any] | None
    fault: str | None


class AbTestList(BaseModel):
    """Tests, newest first."""

    abTests: list[AbTestShown]


def routes(services: Services) -> APIRouter:
    """Return the routes of A/B tests."""
    router = APIRouter(responses=RESPONSES)

    @router.get("/ab-tests", **needs(Scope.READ))
    def list_ab_tests(
        beeId: Annotated[BeeId | None, Query(description="Only this bee's.")] = None,
        state: Annotated[State | None, Query(description="Only those in this state.")] = None,
        limit: Annotated[int, Query(ge=1, le=200, description="The newest so many.")] = 50,
    ) -> AbTestList:
        """List A/B tests, newest first."""
        with services.ledger.begin(write=False) as transaction:
            found = [one for one in list_tests(transaction, beeId) if state is None or one.state == state]
        return AbTestList(abTests=[AbTestShown(**shown_trial(one)) for one in found[:limit]])

    @router.get("/ab-tests/{testId}", **needs(Scope.READ))
    def get_ab_test(testId: TestName) -> AbTestShown:
        """Tell what was planned, expected and found so far."""
        return _shown(services, testId)

    @router.post("/ab-tests/{testId}/stop", **needs(Scope.OPERATE))
    def stop_ab_test(testId: TestName, asked: ReasonRequest, request: Request) -> AbTestShown:
        """Stop a test by hand; the champion serves everybody again."""
        stop_test(operator(services, request), testId, asked.reason)
        return _shown(services, testId)

    return router


def _shown(services: Services, test_id: str) -> AbTestShown:
    with services.ledger.begin(write=False) as transaction:
        return AbTestShown(**shown_trial(find_test(transaction, test_id)))

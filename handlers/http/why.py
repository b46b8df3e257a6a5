"""`why`: why an event, a run or a bee did or did not lead to a retrain."""

from typing import Annotated

from fastapi import APIRouter, Path

from handlers.http.operating import Why, WhyList
from handlers.http.problems import RESPONSES
from handlers.http.scopes import needs
from handlers.http.services import Services
from worker.access.token import Scope
from worker.runs.explain import Explainer
from worker.runs.explanation import printed

Subject = Annotated[
    str,
    Path(
        min_length=1,
        max_length=1024,
        description="An event's id, a run's, or a bee's name.",
        examples=["2002-09-28-spam-guard"],
    ),
]


def routes(services: Services) -> APIRouter:
    """Return the route of why."""
    router = APIRouter(responses=RESPONSES)

    @router.get("/why/{subject:path}", **needs(Scope.READ))
    def why(subject: Subject) -> WhyList:
        """Tell in words why it did or did not retrain: every rule and guard in order, and what happens next."""
        with services.ledger.begin(write=False) as transaction:
            explainer = Explainer(transaction, services.bees(), services.policy(), services.clock(), services.typical)
            return WhyList(explanations=[Why(**printed(one)) for one in explainer.explain(subject)])

    return router

"""`costs`: what runs cost, by bee, template or month, and what the loop gained for it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from handlers.commands.show_costs import Asked, gains, shown_costs, shown_gains
from handlers.http.cost_shapes import Costs, Gains
from handlers.http.problems import RESPONSES
from handlers.http.scopes import needs
from handlers.http.services import Services
from handlers.http.shapes import Moment
from worker.access.token import Scope

_SINCE = Query(description="Only what was asked for since then.")
_UNTIL = Query(description="Only what was asked for before then.")


def routes(services: Services) -> APIRouter:
    """Return the routes of costs."""
    router = APIRouter(responses=RESPONSES)

    @router.get("/costs", **needs(Scope.READ))
    def list_costs(
        *,
        by: Annotated[Literal["bee", "template", "month"], Query(description="What runs are summed by.")] = "bee",
        since: Annotated[Moment | None, _SINCE] = None,
        until: Annotated[Moment | None, _UNTIL] = None,
    ) -> Costs:
        """Sum what runs were thought to cost, what they cost, and what bills said; what is not known is counted."""
        with services.ledger.begin(write=False) as transaction:
            return Costs(**shown_costs(Asked(by, since, until), transaction, services.prices()))

    @router.get("/costs/gain", **needs(Scope.READ))
    def list_gains(
        *,
        since: Annotated[Moment | None, Query(description="Only what went into production since then.")] = None,
        until: Annotated[Moment | None, Query(description="Only what went into production before then.")] = None,
    ) -> Gains:
        """Tell what each version gained that went into production, and what all attempts at it cost."""
        with services.ledger.begin(write=False) as transaction:
            found = gains(Asked("bee", since, until), transaction, services.bees())
        return Gains(**shown_gains(found, services.prices()))

    return router

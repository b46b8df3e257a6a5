"""`budget.exceeded` and `breaker.opened`: what an operator wants to hear of at once."""

from typing import Annotated, Literal

from msgspec import Meta

from worker.publish.schemas.base import Bee, Data, Reason, Time

Scope = Annotated[Literal["bee", "colony"], Meta(description="Whose it is.")]


class BudgetExceeded(Data, frozen=True, kw_only=True):
    """A budget holds a retrain back; told once in its period."""

    bee_id: Bee
    scope: Scope
    budget: Literal["budget_runs", "budget_cost", "colony_budget_runs", "colony_budget_cost"]
    period: Annotated[str, Meta(description="The day of runs, the month of cost.", examples=["2002-10-01", "2002-10"])]
    inputs: dict[str, float]
    until: Time | None
    reason: Reason


class BreakerOpened(Data, frozen=True, kw_only=True):
    """A circuit breaker holds all retrains back until then."""

    bee_id: Bee
    scope: Scope
    failures: Annotated[int, Meta(ge=0)]
    until: Time | None
    reason: Reason

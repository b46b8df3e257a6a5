"""How a run's version goes into production: its template's plan, else its bee's, as they were when it was launched."""

from collections.abc import Mapping
from typing import Any

from worker.bee import BeeSpec
from worker.errors import Rejected
from worker.ledger import Transaction
from worker.rollout.measure import measure_of
from worker.rollout_plan import RolloutSpec
from worker.runs.lifecycle import Run


def plan_of(run: Run, outcome: Mapping[str, Any] | None) -> RolloutSpec:
    """Return the plan of a run's deployment.

    Raises:
        Rejected: it cannot be read, or which way its metric is better is not known.
    """
    told = (outcome or {}).get("rollout")
    try:
        bee = BeeSpec.model_validate((run.frozen or {}).get("bee"))
        plan = RolloutSpec.model_validate(told) if told is not None else bee.rollout
    except ValueError as error:
        mend = "look at the template's deployment step"
        raise Rejected(f"cannot be read: {error}", field="rollout", mend=mend) from error
    if plan.planned:
        measure_of(bee, plan)
    return plan


def staged(plan: RolloutSpec, bee: str, transaction: Transaction) -> bool:
    """Tell whether a version goes in steps: without a champion there is nothing to compare it with."""
    return bool(plan.planned) and transaction.models.champion(bee) is not None

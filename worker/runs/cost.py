"""What a run cost, by where it ran: reckoned when it is settled, with how that came about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from worker.costs.prices import PriceList
from worker.costs.settled import Reckoned, Task, local_cost, rows_of, vertex_cost
from worker.engine.state import Status
from worker.runs.lifecycle import Run
from worker.runs.port import StepState


@dataclass(frozen=True)
class Prices:
    """Money per unit, in the currency that budgets are in.

    Attributes:
        cpu_hour: of one core; memory_gb_hour: of 10^9 bytes; for what runs here.
        listed: the price list by which runs on Vertex AI are reckoned; None: runs are executed here.
        region: where those run.
    """

    cpu_hour: float = 0.05
    memory_gb_hour: float = 0.005
    listed: PriceList | None = None
    region: str = ""


def cost_of(run: Run, steps: Sequence[StepState], outcome: Mapping[str, Any] | None, prices: Prices) -> Reckoned:
    """Return what an ended run cost, by its outcome or by its steps' machines."""
    if run.status is not Status.SUCCEEDED and outcome is None and not any(step.started_at for step in steps):
        return Reckoned(0.0, "nothing of it began")
    if prices.listed is None:
        return local_cost(outcome, prices.cpu_hour, prices.memory_gb_hour)
    tasks = [_task(step, run.ended_at) for step in steps if step.started_at and step.machine]
    if not tasks:
        return Reckoned(None, "its steps tell no machines")
    return vertex_cost(tasks, outcome, prices.listed, prices.region)


def reckoned(run: Run, found: Reckoned, outcome: Mapping[str, Any] | None) -> Run:
    """Return a run with what it cost; a bill that was quicker stays."""
    cost = found.amount if run.billed_cost is None else run.billed_cost
    rows = rows_of(outcome)
    return replace(run, cost=cost, settled_cost=found.amount, cost_basis=found.basis, rows=rows)


def _task(step: StepState, run_ended: datetime | None) -> Task:
    # What was cancelled has no end of its own.
    ended = step.ended_at or run_ended
    took = ended - step.started_at if ended and step.started_at else None
    return Task(step.step_id, step.machine or "", took)


def cost_text(amount: float) -> str:
    """Return an amount as people read it: cents where there are whole ones, more digits where there is less."""
    if abs(amount) >= 1:
        return f"{amount:.2f}"
    return f"{amount:.4f}" if abs(amount) >= 0.001 or amount == 0 else f"{amount:.6f}"

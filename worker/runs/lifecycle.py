"""A run's values and the only ways between its states, pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from worker.engine.state import Status
from worker.errors import Conflict


class Verdict(StrEnum):
    """How a settled run ended for the bee; `completed` is the end of a template that makes no model.

    `gated` waits for a person's approval; it becomes rollout, deployed, rejected or superseded then. `rollout` goes
    into production step by step; it becomes deployed, rejected (proven worse) or superseded (ended by a person).
    """

    DEPLOYED = "deployed"
    GATED = "gated"
    ROLLOUT = "rollout"
    REJECTED = "rejected"
    REGISTERED = "registered"
    SUPERSEDED = "superseded"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Run:
    """One execution of a pipeline.

    Attributes:
        trigger: `drift`, `manual` or `schedule`.
        as_of: the event time that bounds the data it trains on.
        parameters: what the caller asked for.
        frozen: everything the steps read, fixed at launch; None before.
        transition: counts the changes of status; part of each event's id.
        estimate, cost: what it was thought to cost and what it cost, in the currency of the prices; None: not known.
        estimate_basis: what the estimate stands on, or why there is none, in words.
        settled_cost: what it cost by the price list, when it was settled; None: not known.
        cost_basis: how that was reckoned, or why it is not known, in words.
        billed_cost, billed_at: what it cost by the bill, credits included, as last seen then; None: no bill yet.
        rows: how many rows its data window had; None: not known.
        loop: whether it may change the bee's champion (at most one such run in flight).
    """

    id: str
    template: str
    bee: str
    trigger: str
    reason: str
    as_of: datetime
    created_at: datetime
    incident_id: str | None = None
    attempt: int = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)
    frozen: Mapping[str, Any] | None = None
    status: Status = Status.PENDING
    error: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    transition: int = 0
    cancel_requested: bool = False
    settled: bool = False
    verdict: Verdict | None = None
    outcome: Mapping[str, Any] | None = None
    loop: bool = True
    estimate: float | None = None
    cost: float | None = None
    estimate_basis: str = ""
    settled_cost: float | None = None
    cost_basis: str = ""
    billed_cost: float | None = None
    billed_at: datetime | None = None
    rows: int | None = None


_MAX_NAMES = 107

_NEXT = {
    Status.PENDING: {Status.QUEUED, Status.FAILED, Status.CANCELLED},
    Status.QUEUED: {Status.RUNNING, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED},
    Status.RUNNING: {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED},
}


def run_id(template: str, bee: str, *key: str) -> str:
    """Return `{template}-{bee}-{hash}`: the same key always names the same run (installation, incident, attempt).

    At most 128 characters, as Vertex allows: long names are cut, and the hash still tells them apart.
    """
    digest = hashlib.sha256("\n".join((template, bee, *key)).encode()).hexdigest()[:20]
    return f"{f'{template}-{bee}'[:_MAX_NAMES]}-{digest}"


def billing_label(run_id: str) -> str:
    """Return the label `run` that a run's jobs carry elsewhere, and the bill with them; it is the run's alone."""
    return run_id[-63:]


def moved(run: Run, status: Status, now: datetime, *, error: str | None = None) -> Run:
    """Return the run in its next state. Raises Conflict if there is no way from here to there."""
    if status not in _NEXT.get(run.status, set()):
        raise Conflict(f"run {run.id} is {run.status}, it cannot become {status}")
    return replace(
        run,
        status=status,
        error=error,
        transition=run.transition + 1,
        started_at=now if status is Status.RUNNING else run.started_at,
        ended_at=now if status.ended else run.ended_at,
    )


def concluded(run: Run, verdict: Verdict, outcome: Mapping[str, Any] | None) -> Run:
    """Return the run settled, once. Raises Conflict if it has not ended or was settled before."""
    if not run.status.ended or run.settled:
        raise Conflict(f"run {run.id} is {run.status}{' and settled' if run.settled else ''}, it cannot be settled")
    return replace(run, settled=True, verdict=verdict, outcome=outcome, transition=run.transition + 1)

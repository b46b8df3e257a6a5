"""`pipeline.run.…`: what becomes of a run."""

from typing import Annotated, Literal

from msgspec import Meta

from worker.publish.schemas.base import Attempt, Bee, Cost, Data, IncidentId, Reason, RunId, Time

Status = Literal["pending", "queued", "running", "succeeded", "failed", "cancelled"]
Verdict = Literal[
    "deployed", "gated", "rollout", "rejected", "registered", "superseded", "completed", "failed", "cancelled"
]


class _Run(Data, frozen=True, kw_only=True):
    run_id: RunId
    pipeline: Annotated[str, Meta(description="The template.", examples=["auto-retrain"])]
    bee_id: Bee
    incident_id: IncidentId | None
    attempt: Attempt
    trigger: Annotated[str, Meta(description="What asked for it: drift, manual or schedule.")]
    reason: Reason
    as_of: Annotated[Time, Meta(description="Data from before this time is used.")]
    status: Status


class RunRequested(_Run, frozen=True, kw_only=True):
    """A run was asked for; it is in the ledger and begins by itself."""


class RunStarted(_Run, frozen=True, kw_only=True):
    """The engine has begun with a run."""


class RunEnded(_Run, frozen=True, kw_only=True):
    """A run has ended and was settled: what became of it for the bee stands in `verdict`."""

    verdict: Verdict
    verdict_reason: Reason
    cost: Cost | None

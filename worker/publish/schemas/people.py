"""What people are asked, and what they have done: `approval.requested`, `colony.paused`, `colony.resumed`."""

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from worker.publish.schemas.base import Attempt, Bee, Data, IncidentId, Reason, RunId, Time, Version


class Links(Data, frozen=True, kw_only=True):
    """Paths of the HTTP API."""

    own: str = field(name="self")
    approve: str
    refuse: str


class ApprovalRequested(Data, frozen=True, kw_only=True):
    """A run or a deployment waits for a person's word, given at `links` or by `colony approvals`."""

    approval_id: str
    bee_id: Bee
    kind: Literal["run", "deployment"]
    incident_id: IncidentId | None
    run_id: RunId | None
    version: Version | None
    attempt: Attempt
    reason: Reason
    estimated_cost: float | None
    evidence: Annotated[
        dict[str, Any],
        Meta(description="What a person needs in order to answer: checks of a run, gate and metrics of a version, …"),
    ]
    expires_at: Time
    on_expiry: Annotated[Literal["refuse", "approve"], Meta(description="What silence means.")]
    links: Links


class ColonyPaused(Data, frozen=True, kw_only=True):
    """Nothing new begins for a bee, or (`beeId` null) for the colony."""

    bee_id: Bee | None
    by: str
    at: Time
    reason: Reason
    until: Time | None


class ColonyResumed(ColonyPaused, frozen=True, kw_only=True):
    """A pause was ended by a person; `reason` is that of the pause."""

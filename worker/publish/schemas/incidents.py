"""`incident.…` and `evaluation.missing`: episodes of a bee's model being bad, and silence about it."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from worker.publish.schemas.base import Bee, Data, IncidentId, Reason, RunId, Time, Version

State = Literal["open", "retraining", "gated", "rollout", "deployed", "refused", "failed", "escalated", "closed"]
Attempts = Annotated[int, Meta(ge=0, description="How many runs it has had.")]


class _Incident(Data, frozen=True, kw_only=True):
    bee_id: Bee
    incident_id: IncidentId
    model_version: Version
    attempts: Attempts
    state: State
    reason: Reason


class IncidentOpened(_Incident, frozen=True, kw_only=True):
    """A bee's model is bad."""


class IncidentClosed(_Incident, frozen=True, kw_only=True):
    """It is well again, or a person has closed it."""


class IncidentEscalated(Data, frozen=True, kw_only=True):
    """Only a person can help: no attempt is left; or a run without an incident left no outcome (then `runId`)."""

    bee_id: Bee
    incident_id: IncidentId | None
    model_version: Version | UnsetType = UNSET
    attempts: Attempts | UnsetType = UNSET
    state: State | UnsetType = UNSET
    reason: Reason
    run_id: RunId | UnsetType = UNSET


class EvaluationMissing(Data, frozen=True, kw_only=True):
    """A bee's evaluations have stopped: none came within `expectEvery` of its file."""

    bee_id: Bee
    last_heard_at: Time
    expect_every: Annotated[str, Meta(examples=["7d"])]
    reason: Reason

"""`model.…`: what becomes of a version of a bee's model."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from worker.publish.schemas.base import Artifact, Bee, Data, Gate, Metrics, Reason, RunId, Time, Version
from worker.publish.schemas.rollouts import RolloutNumbers

Previous = Annotated[str, Meta(description="What was in production until now.")]
Forced = Annotated[bool, Meta(description="Whether a person put it into production although it passed no gate.")]


class _Made(Data, frozen=True, kw_only=True):
    bee_id: Bee
    version: Version
    run_id: RunId | None
    reason: Reason
    metrics: Metrics
    gate: Gate | None
    artifact: Artifact


class ModelRegistered(_Made, frozen=True, kw_only=True):
    """A run made a version; whether it goes into production is told apart."""


class ModelRejected(_Made, frozen=True, kw_only=True):
    """A version does not go into production: its gate refused it, a person did, or production had moved on."""


class ModelDeployed(_Made, frozen=True, kw_only=True):
    """A version went into production: by a run, by hand, or taken over from elsewhere (then without run and gate)."""

    previous: Previous | None
    deployed_at: Time
    forced: Forced | UnsetType = UNSET
    rollout: Annotated[RolloutNumbers, Meta(description="What it was verified on.")] | UnsetType = UNSET


class ModelRolledBack(Data, frozen=True, kw_only=True):
    """Production went back to an earlier version: by evidence of both, by its evaluations, or by hand."""

    bee_id: Bee
    version: Version
    previous: Previous
    reason: Reason
    rolled_back_at: Time
    artifact: Artifact | UnsetType = UNSET
    forced: Forced | UnsetType = UNSET
    rollout: Annotated[RolloutNumbers, Meta(description="What it was proven worse on.")] | UnsetType = UNSET

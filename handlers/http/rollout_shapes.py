"""Rollouts, and changes of what is served, as OpenAPI describes them."""
# ruff: noqa: N815 - the API is camelCase

from typing import Any, Literal

from pydantic import BaseModel, Field

from worker.evidence.verdict import Verdict
from worker.rollout.machine import State


class RolloutStepShown(BaseModel):
    """A step: so much of the traffic, for at least so long and until so many outcomes are in."""

    percent: int
    minTime: str
    minOutcomes: int
    reached: bool


class ComparedShown(BaseModel):
    """A metric of champion and challenger; a positive difference means that the challenger is better.

    The interval from `lower` to `upper` is valid however often it is looked at; null is unbounded, or not known.
    """

    metric: str
    source: Literal["outcomes", "events", "served"]
    count: int
    champion: float | None
    challenger: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    margin: float | None
    verdict: Verdict


class EvidenceShown(BaseModel):
    """What the newest look went by; `stepOutcomes` are those of rows since the step began."""

    asOf: str
    stepOutcomes: int
    primary: ComparedShown
    guards: dict[str, ComparedShown]


class RolloutShown(BaseModel):
    """A version on its way into production, step by step; `missing` says what the step lacks to be advanced.

    A step that lacks evidence is held from `heldFrom` on, and a person is asked; it never advances by itself.
    """

    rolloutId: str
    beeId: str
    state: State
    version: str
    champion: str
    strategy: str
    steps: list[RolloutStepShown]
    step: int
    stepStartedAt: str
    heldFrom: str | None
    trafficSplit: dict[str, int]
    salt: str
    metric: str
    margin: float
    confidence: float
    startedAt: str
    changedAt: str
    reason: str
    forced: str | None
    runId: str | None
    incidentId: str | None
    evidence: EvidenceShown | None
    missing: str | None
    story: list[dict[str, Any]]


class ChangeShown(BaseModel):
    """A change of what a bee is served by: why, by whom (null: the loop itself), and on what numbers."""

    beeId: str
    epoch: int
    at: str
    version: str
    previous: str | None
    trafficSplit: dict[str, int]
    salt: str | None
    shadow: list[str]
    reason: str
    by: str | None
    runId: str | None
    numbers: dict[str, Any] = Field(default_factory=dict)


class HistoryShown(BaseModel):
    """Every change of what a bee is served by, oldest first."""

    changes: list[ChangeShown]

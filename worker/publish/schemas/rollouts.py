"""`model.rollout.…`: a version on its way into production, step by step."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from worker.publish.schemas.base import Bee, Data, IncidentId, Reason, RunId, Time, Version

RolloutId = Annotated[str, Meta(description="The rollout, as in `GET /api/mlops/models/{bee}/rollout`.")]
Step = Annotated[int, Meta(ge=1, description="Which step of the plan, 1 for the first.")]
Percent = Annotated[int, Meta(ge=0, le=100, description="How much of the traffic it serves.")]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of both versions since the rollout began; positive differences: the challenger is better."""

    metric: str
    source: Annotated[
        Literal["outcomes", "events", "served"],
        Meta(description="Labelled rows, `model.evaluated` of both versions, or the log of what each served."),
    ]
    count: Annotated[
        int,
        Meta(
            ge=0,
            description="Labelled rows, samples told by events, or logged predictions of the version that has fewer.",
        ),
    ]
    champion: float | None
    challenger: float | None
    difference: Annotated[float | None, Meta(description="Turned so that positive is better.")]
    lower: Annotated[float | None, Meta(description="Of the difference, valid at any time; null: not known.")]
    upper: Annotated[float | None, Meta(description="Of the difference, valid at any time; null: not known.")]


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """One version's share of the traffic."""

    version: Version
    percent: Percent


AsOf = Annotated[Time | None, Meta(description="What was known by then was looked at; null: nothing was yet.")]
Outcomes = Annotated[int | None, Meta(description="Outcomes since the step began.")]
Guards = Annotated[dict[str, Compared], Meta(description="Metric → what is known of each guard.")]


class RolloutNumbers(Data, frozen=True, kw_only=True):
    """What a rollout ended on."""

    rollout_id: RolloutId
    state: Annotated[str, Meta(description="How it ended.", examples=["verified", "rolled_back", "stopped"])]
    step: Step
    steps: Annotated[int, Meta(ge=1)]
    as_of: AsOf
    outcomes: Outcomes
    evidence: Compared | None
    guards: Guards


class _Rollout(Data, frozen=True, kw_only=True):
    bee_id: Bee
    rollout_id: RolloutId
    version: Version
    champion: Annotated[Version, Meta(description="What it is to replace.")]
    strategy: Annotated[str, Meta(examples=["canary", "shadow", "blueGreen"])]
    step: Step
    steps: Annotated[int, Meta(ge=1)]
    percent: Percent
    split: Annotated[list[Share], Meta(description="In the order that places are given out.")]
    salt: Annotated[str, Meta(description="Of the hash by which entities are divided.")]
    shadow: Annotated[list[str], Meta(description="Versions that are scored with every request and never answer.")]
    run_id: RunId | None
    incident_id: IncidentId | None
    reason: Reason


class RolloutStarted(_Rollout, frozen=True, kw_only=True):
    """A version that passed its gate goes into production step by step from now on."""

    forced: Annotated[bool, Meta(description="Whether a person put it on its way although it passed no gate.")]


class _Looked(_Rollout, frozen=True, kw_only=True):
    as_of: AsOf
    outcomes: Outcomes
    evidence: Compared | None
    guards: Guards


class RolloutAdvanced(_Looked, frozen=True, kw_only=True):
    """Evidence let a rollout go on to its next step."""


class RolloutHeld(_Looked, frozen=True, kw_only=True):
    """A step had no evidence for too long: it stays as it is, and a person must look."""

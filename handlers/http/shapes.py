"""What the API takes and gives, as OpenAPI describes it."""
# ruff: noqa: N815 - the API is camelCase

import math
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from handlers.http.rollout_shapes import RolloutShown
from worker.bee import BEE_ID
from worker.clock import parse_time
from worker.engine.state import Status
from worker.runs.lifecycle import Verdict

MAX_DEPTH = 50


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_time(value)
    except ValueError as error:
        raise ValueError(f"{value[:60]!r} is no time with a zone; write it as 2002-10-01T00:00:00Z") from error


def _storable(value: Any) -> Any:
    """Refuse NaN and infinity, and what nests so deep that it can be read but not written again."""
    waiting = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, float) and not math.isfinite(item):
            raise ValueError("holds a number that is not finite")
        if depth > MAX_DEPTH:
            raise ValueError(f"nests deeper than {MAX_DEPTH} levels")
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        waiting += [(part, depth + 1) for part in inner]
    return value


#: RFC 3339 with a zone, and nothing else that Python might take for a time.
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    Field(strict=True),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2002-10-01T00:00:00Z"]}),
]
BeeId = Annotated[str, Field(pattern=f"^{BEE_ID.pattern}$", examples=["spam-guard"])]
RunId = Annotated[str, Field(pattern="^[a-z0-9][-a-z0-9]{0,127}$")]
Version = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00/]+$", examples=["2"])]
Reason = Annotated[
    str, Field(min_length=1, max_length=2000, pattern=r"\S", examples=["the new one is worse for users"])
]
Json = dict[str, Any]
_TEXT: Json = {"type": "string"}
_OBJECT: Json = {"type": "object"}


class Body(BaseModel):
    """A request's body: a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class TriggerRequest(Body):
    """Which template to run, for whom, and with what."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"pipeline": "auto-retrain", "parameters": {"beeId": "spam-guard"}, "reason": "new data"}]
        },
    )

    pipeline: Annotated[str, Field(min_length=1, max_length=63)]
    parameters: "Parameters"
    reason: Reason = "asked for by an operator"


class Parameters(BaseModel):
    """The bee, the time that bounds the data (default: now), and the template's own parameters."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[Any, AfterValidator(_storable)]]

    beeId: BeeId
    asOf: Moment | None = None


class StepShown(BaseModel):
    """One step of a run; inside a loop `stepId` is a path such as `loop/2/train`."""

    stepId: str
    status: Status
    attempt: int
    startedAt: str | None
    endedAt: str | None
    error: str | None
    logTail: str


class ArtifactShown(BaseModel):
    """Something that a run has made."""

    name: str
    type: str
    uri: str
    metadata: Json


class RunSummary(BaseModel):
    """A run as lists show it; `verdict` is how it ended for the bee, once it is settled.

    `estimatedCost` is what it was thought to cost before it began, `cost` what it did, in the currency of the prices:
    what the price list said when it was settled (`settledCost`), until the bill comes (`correctedCost`). Null is what
    nobody knows; `costBasis` says why.
    """

    runId: str
    pipeline: str
    beeId: str
    trigger: str
    reason: str
    incidentId: str | None
    attempt: int
    asOf: str
    status: Status
    verdict: Verdict | None
    settled: bool
    cancelRequested: bool
    error: str | None
    createdAt: str
    startedAt: str | None
    endedAt: str | None
    estimatedCost: float | None
    estimatedBy: str | None
    cost: float | None
    costBasis: str | None
    settledCost: float | None
    correctedCost: float | None
    correctedAt: str | None


class RunShown(RunSummary):
    """A run with its steps, what it made, and what it concluded (`outcome`, null before it is settled)."""

    steps: list[StepShown]
    artifacts: list[ArtifactShown]
    outcome: Json | None


class RunPage(BaseModel):
    """Runs, newest first; `nextCursor` leads to older ones."""

    runs: list[RunSummary]
    nextCursor: str | None


class ParameterShown(BaseModel):
    """A parameter of a template."""

    type: str
    default: Any
    required: bool
    description: str


class TemplateStepShown(BaseModel):
    """A step of a template, and the steps that it waits for."""

    id: str
    type: str
    after: list[str]


class TemplateShown(BaseModel):
    """A template; one that is faulty has its faults in `error` and nothing else."""

    name: str
    version: str | None = None
    description: str | None = None
    trigger: str | None = None
    parameters: dict[str, ParameterShown] = Field(default_factory=dict)
    steps: list[TemplateStepShown] = Field(default_factory=list)
    error: str | None = None


class TemplateList(BaseModel):
    """Every template."""

    templates: list[TemplateShown]


class ArtifactRef(BaseModel):
    """Bytes that never change."""

    uri: str
    sha256: str


class VersionShown(BaseModel):
    """One registered version of a bee's model; `forced` is the reason of who promoted it without a passed gate."""

    beeId: str
    version: str
    state: str
    champion: bool
    gatePassed: bool
    forced: str | None
    metrics: dict[str, float | None]
    runId: str | None
    createdAt: str
    artifact: ArtifactRef
    lineage: Json


class VersionList(BaseModel):
    """Versions, oldest first within each bee."""

    models: list[VersionShown]


class ShareShown(BaseModel):
    """How much of the traffic a version serves."""

    version: str
    percent: int


class ModelShown(BaseModel):
    """What is in production for a bee; `epoch` counts the changes of it.

    While a rollout or a test is under way the versions of `split` serve, each its percent, in the order that places are
    given out (an object such as `trafficSplit` has none that every reader keeps), sticky by entity by
    the `salt`; those of `shadow` are scored beside it and never answer.
    """

    beeId: str
    version: str | None
    epoch: int
    deployedAt: str | None
    trafficSplit: dict[str, int]
    split: list[ShareShown] = Field(default_factory=list)
    salt: str | None = None
    shadow: list[str] = Field(default_factory=list)
    rollout: RolloutShown | None = None
    settings: dict[str, Any] | None = None
    versions: list[VersionShown]


class PromoteRequest(Body):
    """Which version to put into production, and why; `force` although its gate was not passed.

    `immediate`: at once, whatever the bee's plan says; it ends a rollout that is under way.
    """

    version: Version
    reason: Reason
    force: bool = False
    immediate: bool = False


class RollbackRequest(Body):
    """Why, and to which earlier version (default: the predecessor of the one in production)."""

    reason: Reason
    version: Version | None = None


class DeploymentShown(BaseModel):
    """A change of what is in production; `version` is the champion, `trafficSplit` who serves whom from now on."""

    beeId: str
    epoch: int
    version: str
    previous: str | None
    deployedAt: str
    reason: str
    trafficSplit: dict[str, int]


class PredictRequest(Body):
    """An entity whose features are read online, or the features themselves; or both, and nothing is read.

    Given both, the entity says which of the versions that are live answers, and whose prediction is logged.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"entityId": "c-1017"}, {"features": {"spam_probability": 0.93}}],
            "anyOf": [
                {"required": ["entityId"], "properties": {"entityId": _TEXT}},
                {"required": ["features"], "properties": {"features": _OBJECT}},
            ],
        },
    )

    entityId: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    features: Annotated[dict[str, str | float | bool | None], Field(max_length=1000)] | None = None


class Prediction(BaseModel):
    """A prediction of `version`, one of those that are live; `missing` are the features that had no value.

    `warnings` name features that are not defined any more as they were when the model was trained, and a version that
    should have answered and could not.
    """

    prediction: str | float | bool | None
    score: float | None
    version: str
    missing: list[str]
    warnings: list[str] = []


class DecisionShown(BaseModel):
    """What was concluded from one evaluation, with every rule that fired or held back."""

    eventId: str
    source: str
    beeId: str
    modelVersion: str
    evaluatedAt: str
    decidedAt: str
    action: str
    rules: list[Json]
    reason: str
    runId: str | None
    incidentId: str | None
    policyVersion: str


class DecisionPage(BaseModel):
    """Decisions in the order they were made; `nextCursor` leads to the page before, of older ones."""

    decisions: list[DecisionShown]
    nextCursor: str | None


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """Whether this process can do its work; `faults` names what cannot, and why, `paused` what people have paused."""

    status: Literal["ok", "unavailable"]
    faults: dict[str, str]
    paused: list[str]

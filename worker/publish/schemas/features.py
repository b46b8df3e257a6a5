"""`feature.…`: definitions, and how often they are read."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from worker.publish.schemas.base import Bee, Data, Time
from worker.publish.schemas.evaluation import Window

Feature = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,127}$", examples=["spam_probability"])]


class FeatureDefined(Data, frozen=True, kw_only=True):
    """A feature has a new version of its definition; what is empty is left out."""

    feature: Feature
    entity: str
    type: Literal["number", "string", "boolean", "vector"]
    source: Literal["ingested", "computed"]
    version: Annotated[int, Meta(ge=1)]
    description: str | UnsetType = UNSET
    computation: str | UnsetType = UNSET
    ttl: Annotated[str, Meta(examples=["30d"])] | UnsetType = UNSET
    group: str | UnsetType = UNSET
    owner: str | UnsetType = UNSET
    unit: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    minimum: float | UnsetType = UNSET
    maximum: float | UnsetType = UNSET
    deprecated: Annotated[str, Meta(description="Why it should not be used any more.")] | UnsetType = UNSET


class FeatureAccessed(Data, frozen=True, kw_only=True):
    """How often a feature was read in a minute; a minute that is told late comes as another event, to be added."""

    feature: Feature
    minute: Time
    reads: Annotated[int, Meta(ge=1)]
    sample_rate: Annotated[float, Meta(ge=0, le=1, description="The share of features and minutes that is told.")]


class Seen(Data, frozen=True, kw_only=True):
    """A period, and what of a feature came in with an event time in it."""

    start: Time
    end: Time
    values: Annotated[int, Meta(ge=0)]


class FeatureDrifted(Data, frozen=True, kw_only=True):
    """A feature's values are not as they were in the period before, or not as its definition says."""

    feature: Feature
    entity: str
    findings: Annotated[list[str], Meta(min_length=1, description="What is wrong, in words.")]
    kinds: (
        Annotated[
            list[str], Meta(description="What is wrong: drifted, missing, volume, range, skewed, unlikeTraining.")
        ]
        | UnsetType
    ) = UNSET
    window: Seen
    previous: Seen
    psi: Annotated[float, Meta(ge=0, description="Population stability index.")] | None
    missing: Annotated[float, Meta(ge=0, le=1, description="Share of the entities seen that have no value.")] | None
    missing_before: Annotated[float, Meta(ge=0, le=1)] | None


class FeatureFound(Data, frozen=True, kw_only=True):
    """Something is wrong with a feature that a bee's model in production reads; the policy says what follows."""

    bee_id: Bee
    model_version: Annotated[str, Meta(min_length=1, max_length=128, examples=["3"])] | int
    feature: Annotated[str, Meta(min_length=1, max_length=128, examples=["spam_probability"])]
    kinds: Annotated[
        list[Literal["drifted", "missing", "volume", "range", "stale", "skewed", "unlikeTraining"]],
        Meta(min_length=1, max_length=50),
    ]
    findings: (
        Annotated[list[Annotated[str, Meta(max_length=1000)]], Meta(max_length=50, description="In words.")] | None
    ) = None
    evaluated_at: Annotated[Time, Meta(description="The event time; else the envelope's.")] | None = None
    window: Window | None = None


class FeatureStale(Data, frozen=True, kw_only=True):
    """A feature's newest value is older than its values stay valid."""

    feature: Feature
    entity: str
    newest_event: Time | None
    expected_every: Annotated[str, Meta(examples=["30d"])]
    as_of: Time

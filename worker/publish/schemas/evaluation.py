"""`model.evaluated`, the event that comes in; what it means is checked by `worker.decide.evaluation`."""

from typing import Annotated

from msgspec import Meta

from worker.publish.schemas.base import Bee, Data, Time

Short = Annotated[str, Meta(max_length=256)]
Count = Annotated[int, Meta(ge=0)]
Measured = Annotated[
    dict[str, float | None], Meta(max_length=200, description="Metric → value; null is undefined, evidence of nothing.")
]


class Window(Data, frozen=True, kw_only=True):
    """The data that an evaluation rests on; the same `id`, or the same bounds, is the same window."""

    id: Short | None = None
    start: Time | None = None
    end: Time | None = None
    sample_count: Count | None = None
    positive_count: Count | None = None
    logged_count: (
        Annotated[int, Meta(ge=0, description="Of the samples, judged by what was said when they were served.")] | None
    ) = None
    labelled_share: (
        Annotated[float, Meta(ge=0, le=1, description="Share of the entities seen whose label is in.")] | None
    ) = None


class Reference(Data, frozen=True, kw_only=True):
    """What drift is measured from: a period, or the rows that the model was trained on."""

    kind: Annotated[Short, Meta(examples=["previous", "training"])] | None = None
    start: Time | None = None
    end: Time | None = None
    sample_count: Count | None = None


class Drift(Data, frozen=True, kw_only=True):
    """What the monitor says about drift."""

    detected: bool | None = None
    severity: Annotated[Short, Meta(description="`high` triggers, if drift was detected.")] | None = None
    score: float | None = None
    features: list[str] | None = None
    findings: Annotated[dict[str, list[str]], Meta(description="Column → what is wrong with it, in words.")] | None = (
        None
    )
    psi: Annotated[dict[str, float], Meta(description="Column → population stability index.")] | None = None
    reference: Reference | None = None


class ModelEvaluated(Data, frozen=True, kw_only=True):
    """A bee's model was evaluated: taken in, not sent. Unknown fields are kept, not refused."""

    bee_id: Bee
    model_version: Annotated[str, Meta(min_length=1, max_length=128, examples=["3"])] | int
    evaluated_at: Annotated[Time, Meta(description="The event time; else the envelope's.")] | None = None
    window: Window | None = None
    metrics: Measured | None = None
    intervals: (
        Annotated[
            dict[str, list[float | None] | None],
            Meta(description="Metric → lower and upper bound; null where it is not known."),
        ]
        | None
    ) = None
    sample_counts: (
        Annotated[dict[str, Count], Meta(description="Metric → how many rows it rests on; of a recall the positives.")]
        | None
    ) = None
    baseline: (
        Annotated[Measured, Meta(description="What counts as normal; else what the champion was recorded with.")] | None
    ) = None
    drift: Drift | None = None

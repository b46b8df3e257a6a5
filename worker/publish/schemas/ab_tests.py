"""`ab_test.…`: versions that are tried side by side on live traffic."""

from typing import Annotated, Any

from msgspec import Meta

from worker.publish.schemas.base import Bee, Data, Reason, RunId, Time, Version

TestId = Annotated[str, Meta(description="The test, as in `GET /api/mlops/ab-tests/{testId}`.")]
Versions = Annotated[list[str], Meta(description="What is compared, the control first.", examples=[["1", "2"]])]
Split = Annotated[dict[str, int], Meta(description="Version → percent of the traffic.", examples=[{"1": 50, "2": 50}])]
Metric = Annotated[str, Meta(description="What decides; empty: the bee's own, or what stands for it.")]
Effects = Annotated[
    list[dict[str, Any]],
    Meta(description="Each version against the control: difference (positive is better), lower, upper, counted."),
]


class _Test(Data, frozen=True, kw_only=True):
    bee_id: Bee
    test_id: TestId
    run_id: RunId | None
    versions: Versions
    control: Version


class AbTestStarted(_Test, frozen=True, kw_only=True):
    """Versions share the live traffic from now on, until the test is over."""

    traffic_split: Split
    metric: Metric
    minimum_effect: Annotated[float, Meta(description="The smallest difference that would matter.")]
    required_sample: Annotated[
        list[int] | None, Meta(description="Entities with an outcome, of each version; null: not known.")
    ]
    started_at: Time
    ends_by: Time
    forced: Annotated[dict[str, str], Meta(description="Version → why it is tried although it passed no gate.")]


class _Ended(_Test, frozen=True, kw_only=True):
    state: Annotated[str, Meta(description="How it ended.", examples=["concluded", "expired", "stopped_srm"])]
    winner: Annotated[Version | None, Meta(description="The best version; null: no difference that matters is sure.")]
    reason: Reason
    started_at: Time
    ended_at: Time
    metric: Metric
    exposed: Annotated[list[int] | None, Meta(description="Entities exposed to each version; null: not known.")]
    effects: Effects | None


class AbTestConcluded(_Ended, frozen=True, kw_only=True):
    """A test was answered, or its time is over; the champion serves everybody again, whoever won."""


class AbTestStopped(_Ended, frozen=True, kw_only=True):
    """A test was stopped: its split was broken, a guard was worse, a person did, or production moved on."""

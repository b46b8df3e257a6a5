"""How a version that passed its gate goes into production: the plan in a bee's file, or in a template."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from worker.duration import Duration
from worker.errors import Rejected
from worker.metric import lower_is_better
from worker.value import Value

_DAY = timedelta(days=1)


class RolloutStep(Value):
    """One step: so much of the traffic, for at least so long **and** until so many outcomes are in.

    Attributes:
        percent: of the traffic that the challenger serves, whole; 0: it is scored beside the champion, never served.
        min_time: by the clock that decides (event time in a replay).
        min_outcomes: labelled rows on which both were scored, or samples that the events of both versions tell.
    """

    percent: int = Field(ge=0, le=100)
    min_time: Duration = _DAY
    min_outcomes: int = Field(default=100, ge=1)


class GuardMetric(Value):
    """A metric that must not get worse, whatever the primary one does: latency, error rate, a safety score.

    Attributes:
        margin: by so much it may be worse, in its own unit, or as a share of the champion's where `relative`.
        lower_is_better: its direction; left out, the one that is known of the metric.
        min_samples: fewer are no evidence.
        bounds: what one value can be; None: unbounded (then the test is valid only for large samples).
        required: without evidence of it no step is advanced; if not, a metric that nobody tells is passed over.
    """

    margin: float = Field(ge=0)
    relative: bool = False
    lower_is_better: bool = True
    min_samples: int = Field(default=100, ge=1)
    bounds: tuple[float, float] | None = None
    required: bool = True


def _directed(name: str, guard: GuardMetric) -> GuardMetric:
    """Return a guard with the direction of its metric. Raises ValueError if that is neither declared nor known."""
    if "lower_is_better" in guard.model_fields_set:
        return guard
    try:
        return guard.model_copy(update={"lower_is_better": lower_is_better(name)})
    except Rejected as error:
        raise ValueError(f"which way {name} is better is not known: declare lowerIsBetter") from error


_DEFAULT_STEPS: dict[str, tuple[RolloutStep, ...]] = {
    "canary": (RolloutStep(percent=10), RolloutStep(percent=50), RolloutStep(percent=100)),
    "shadow": (RolloutStep(percent=0),),
    "blueGreen": (RolloutStep(percent=100),),
}


class RolloutSpec(Value):
    """The plan.

    Attributes:
        strategy: `immediate` puts it into production at once; `canary` in steps; `shadow` after it was scored beside
            the champion without being served; `blueGreen` gives it all traffic at once and keeps the champion scored
            beside it, ready to be gone back to.
        steps: of a canary in rising order, the last of 100 %; of the others exactly one. Without any the defaults.
        metric: what is compared, empty: the bee's own where it is a mean over rows, else accuracy (classes) or the
            absolute error (numbers).
        margin: by so much, in the metric's unit, the challenger may be worse and still advance (non-inferiority).
        confidence: of the sequences of intervals, which may be looked at any time.
        guards: metric -> its guard.
        limit: a step without evidence for so long is held, and a person is asked; it never advances by itself.
        hold: the predecessor stays deployed, ready to be gone back to, for so long.
    """

    strategy: Literal["immediate", "canary", "shadow", "blueGreen"] = "immediate"
    steps: tuple[RolloutStep, ...] = ()
    metric: str = ""
    margin: float = Field(default=0.02, ge=0)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    guards: dict[str, GuardMetric] = Field(default_factory=dict)
    limit: Duration = timedelta(days=14)
    hold: Duration = timedelta(days=7)

    @field_validator("guards", mode="after")
    @classmethod
    def _directed(cls, guards: dict[str, GuardMetric]) -> dict[str, GuardMetric]:
        return {name: _directed(name, guard) for name, guard in guards.items()}

    @model_validator(mode="after")
    def _check(self) -> Self:
        percents = [step.percent for step in self.steps]
        if self.strategy == "immediate" and percents:
            raise ValueError("immediate has no steps; leave them out, or choose canary")
        if percents and self.strategy == "canary" and (percents != sorted(set(percents)) or percents[-1] != 100):
            raise ValueError("the steps of a canary rise, and the last is of 100 percent")
        fixed = {"shadow": 0, "blueGreen": 100}
        if percents and self.strategy in fixed and percents != [fixed[self.strategy]]:
            raise ValueError(f"{self.strategy} has one step, of {fixed[self.strategy]} percent")
        if self.limit <= timedelta(0):
            raise ValueError("limit must be longer than nothing")
        if any(step.min_time >= self.limit for step in self.planned):
            raise ValueError("limit must be longer than the minTime of every step: held before it may go on")
        return self

    @property
    def planned(self) -> tuple[RolloutStep, ...]:
        """The steps, the strategy's own where none are given; none at all for `immediate`."""
        return self.steps or _DEFAULT_STEPS.get(self.strategy, ())

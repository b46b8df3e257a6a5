"""What an A/B test is to find out, and how: everything that is fixed before it starts."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from worker.duration import Duration
from worker.models.traffic import PERCENT, Traffic
from worker.value import Value

#: A test is looked at so often where its plan does not say: so many times in all.
_LOOKS = 40
_SHORTEST = timedelta(minutes=1)
_MOST_ARMS = 10


class Guard(Value):
    """A metric that must not get worse, whatever the primary one does.

    Attributes:
        margin: by so much it may be worse, in its own unit, or as a share of the control's value where `relative`.
        direction: of a feature whose name does not tell it.
        min_samples: entities with an outcome in either arm; fewer are no evidence.
        bounds: what one value can be; None: what is known of the metric or of the feature.
    """

    margin: float = Field(default=0.0, ge=0)
    relative: bool = False
    direction: Literal["lower", "higher"] | None = None
    min_samples: int = Field(default=100, ge=1)
    bounds: tuple[float, float] | None = None


class AbPlan(Value):
    """The plan of a test.

    Attributes:
        versions: what is compared; the first is the control that each other one is held against.
        split: the percent of the traffic of each, in the same order; empty: as even as whole percents allow.
        metric: what decides: a metric that is a mean over rows (`accuracy`), or a feature of the bee's entity whose
            values are the outcomes; empty: the bee's own metric where it is such a mean, else accuracy (classes) or mae
            (numbers).
        direction: of a feature whose name does not tell it.
        minimum_effect: the smallest difference that would matter, in the metric's unit. The sample is planned for it,
            and once every difference is surely smaller the test is over.
        power: with which chance a difference of that size is to be found.
        confidence: of the sequences of intervals; shared by the arms.
        max_duration: then it ends, whatever was found.
        min_duration: nothing but harm ends it before (a weekday is not a weekend).
        every: it is looked at so often; None: forty times in all.
        horizon: an entity's outcome is the mean of what comes within so long after its first exposure, and counts once
            that time is over; None: its first outcome.
        exposure: `logged`: who was exposed to what is read from the prediction log; `assigned`: nothing is logged here,
            for whoever serves divides by the documented hash himself, or versions are scored offline: each entity that
            has rows counts as exposed, at its first row, to the version that the split gives it.
        adjust: `cuped`: by the entity's own metric before the test; `none`; `auto`: the former where the history shows
            that it helps. What holds is decided before the test starts.
        stratify: a feature by whose strata the metric is adjusted instead.
        guards: metric -> its guard.
        slices: features by whose values the result is shown apart; exploratory, never a reason to conclude.
        promote_winner: the winner begins its way into production by the bee's rollout plan; else a person promotes it.
    """

    versions: tuple[str, ...]
    split: tuple[int, ...] = ()
    metric: str = ""
    direction: Literal["lower", "higher"] | None = None
    minimum_effect: float = Field(gt=0, allow_inf_nan=False)
    power: float = Field(default=0.8, gt=0.5, lt=1)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    max_duration: Duration = timedelta(days=28)
    min_duration: Duration = timedelta(0)
    every: Duration | None = None
    horizon: Duration | None = None
    exposure: Literal["logged", "assigned"] = "logged"
    adjust: Literal["auto", "cuped", "none"] = "auto"
    stratify: str | None = None
    guards: dict[str, Guard] = Field(default_factory=dict)
    slices: tuple[str, ...] = ()
    promote_winner: bool = False

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        # A template's parameter that nobody gave is null: the default holds.
        return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else given

    @field_validator("versions", mode="before")
    @classmethod
    def _texts(cls, given: Any) -> Any:
        # A person writes [1, 2] as easily as ["1", "2"].
        numbers = isinstance(given, list | tuple)
        return [str(one) if type(one) is int else one for one in given] if numbers else given

    @field_validator("versions")
    @classmethod
    def _check_versions(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if not 2 <= len(given) <= _MOST_ARMS or len(set(given)) != len(given) or not all(given):
            raise ValueError(f"versions must name two to {_MOST_ARMS} different ones, the control first")
        return given

    @field_validator("split")
    @classmethod
    def _check_split(cls, given: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        count = len(info.data.get("versions", given))
        if given and (len(given) != count or sum(given) != PERCENT or min(given) < 1):
            raise ValueError(f"split must give each of the {count} versions a whole percent, 100 in all")
        return given

    @field_validator("max_duration", "every", "horizon")
    @classmethod
    def _check_length(cls, given: timedelta | None) -> timedelta | None:
        if given is not None and given < _SHORTEST:
            raise ValueError("it must be at least a minute")
        return given

    @field_validator("min_duration", "every", "horizon")
    @classmethod
    def _check_within(cls, given: timedelta | None, info: ValidationInfo) -> timedelta | None:
        most = info.data.get("max_duration")
        if given is not None and most is not None:
            if given > most or given < timedelta(0):
                raise ValueError("it must not be longer than maxDuration")
            if info.field_name == "horizon" and given == most:
                raise ValueError("it must be shorter than maxDuration, or no outcome would count in time")
        return given

    @field_validator("guards")
    @classmethod
    def _check_guards(cls, given: dict[str, Guard], info: ValidationInfo) -> dict[str, Guard]:
        if info.data.get("metric") in given:
            raise ValueError(f"{info.data['metric']!r} is the primary metric; it cannot be a guard as well")
        return given

    @property
    def shares(self) -> tuple[int, ...]:
        """The percent of each version."""
        if self.split:
            return self.split
        each, left = divmod(PERCENT, len(self.versions))
        return tuple(each + (place < left) for place in range(len(self.versions)))

    @property
    def control(self) -> str:
        """What each other version is held against."""
        return self.versions[0]

    @property
    def alpha(self) -> float:
        """The chance of a false finding that each comparison with the control may have."""
        return (1 - self.confidence) / (len(self.versions) - 1)

    @property
    def look_every(self) -> timedelta:
        """How often it is looked at."""
        return self.every or max(_SHORTEST, self.max_duration / _LOOKS)

    def traffic(self, salt: str) -> Traffic:
        """Return who is served by what while it runs; the salt is the test's id."""
        return Traffic(tuple(zip(self.versions, self.shares, strict=True)), salt)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values, as `model_validate` reads them."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> "AbPlan":
        """Return what `as_json` gave. Raises ValueError."""
        return cls.model_validate(dict(value))

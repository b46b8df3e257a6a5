"""The form of `policy.yaml`: its words, their types and defaults, and what they mean."""

import hashlib
import json
from collections.abc import Collection, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from worker.bee import Duration, Value, duration_text, parse_duration
from worker.decide.policy import (
    Approval,
    Arming,
    Breaker,
    Budget,
    Colony,
    DriftRule,
    FeatureRule,
    MetricRule,
    Policy,
    Retry,
    Verify,
)
from worker.errors import Rejected
from worker.metric import lower_is_better
from worker.monitor.finding import Kind

#: A place in the file, and what is wrong there.
Fault = tuple[tuple[str | int, ...], str]

# 0.2 and "0.20" are one policy, so that they have one hash.
Number = Annotated[Decimal, AfterValidator(lambda value: value.normalize())]
Share = Annotated[Number, Field(gt=0, lt=1)]
Severity = Literal["low", "medium", "high", "critical"]


class _Metric(Value):
    max_drop: Share | None = None
    clear_drop: Annotated[Number, Field(ge=0, lt=1)] | None = None
    floor: Number | None = None
    clear_floor: Number | None = None
    direction: Literal["lower", "higher"] | None = None

    def rule(self) -> MetricRule:
        """Return what it means."""
        return MetricRule(self.max_drop, self.clear_drop, self.floor, self.clear_floor, self.direction)


class _Drift(Value):
    severity: Severity = "high"
    at_least: bool = False
    score: Annotated[Number, Field(ge=0)] | None = None
    clear_score: Annotated[Number, Field(ge=0)] | None = None


class _Arming(Value):
    windows: int = Field(default=1, ge=1, le=64)
    of: int = Field(default=1, ge=1, le=64)


class _Retry(Value):
    limit: int = Field(default=3, ge=1, le=100)
    backoff: Duration = parse_duration("1d")
    factor: float = Field(default=2.0, ge=1, le=100)
    longest: Duration = parse_duration("7d")


class _Verify(Value):
    windows: int = Field(default=1, ge=1, le=64)
    roll_back: bool = True
    worse_by: Annotated[Number, Field(ge=0)] = Decimal(0)
    within: Duration | None = None
    recover: bool = False

    @model_serializer(mode="wrap")
    def _shown(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `recover` out where it is off: a file that does not know the word keeps its version."""
        shown: dict[str, Any] = handler(self)
        return shown if self.recover else {name: value for name, value in shown.items() if name != "recover"}


class _Breaker(Value):
    failures: int | None = Field(default=None, ge=1, le=64)
    within: Duration = parse_duration("7d")
    pause: Duration = parse_duration("1d")


class _Budget(Value):
    runs_per_day: int | None = Field(default=None, ge=0)
    cost_per_month: Annotated[Number, Field(ge=0)] | None = None


class _Approval(Value):
    runs: Literal["never", "always"] = "never"
    deployments: Literal["never", "always"] = "never"
    above_cost: Annotated[Number, Field(ge=0)] | None = None
    deployments_above_cost: Annotated[Number, Field(ge=0)] | None = None
    expires: Duration = parse_duration("1d")
    on_expiry: Literal["refuse", "approve"] = "refuse"


class _Features(Value):
    hold: tuple[Kind, ...] = ()
    trigger: tuple[Kind, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if "unlikeTraining" in self.hold:
            raise ValueError("unlikeTraining cannot hold a retrain back, which is what mends it; put it into trigger")
        for name, kinds in (("hold", self.hold), ("trigger", self.trigger)):
            if len(set(kinds)) != len(kinds):
                raise ValueError(f"{name} lists a kind twice")
        return self


class _Colony(Value):
    breaker: _Breaker = _Breaker()
    budget: _Budget = _Budget()
    runs: int | None = Field(default=None, ge=1)
    starving: Duration = parse_duration("1d")


class _Words(Value):
    """What may be said for all bees, and again for one."""

    max_drop: Share | None = Decimal("0.2")
    clear_drop: Annotated[Number, Field(ge=0, lt=1)] | None = None
    floor: Number | None = None
    clear_floor: Number | None = None
    metrics: dict[str, _Metric] = Field(default_factory=dict)
    drift: _Drift = _Drift()
    vote: Literal["any", "all"] | Annotated[int, Field(ge=1)] = "any"
    arming: _Arming = _Arming()
    cooldown: Duration = parse_duration("0s")
    retry: _Retry = _Retry()
    verify: _Verify = _Verify()
    breaker: _Breaker = _Breaker()
    budget: _Budget = _Budget()
    approval: _Approval = _Approval()
    features: _Features = _Features()
    max_ahead: Duration = parse_duration("5m")

    def faults(self) -> Iterator[Fault]:
        """Yield what the types alone do not show."""
        yield from _levels(("clearDrop",), self.clear_drop, self.max_drop)
        if self.clear_floor is not None and self.floor is None:
            yield ("clearFloor",), "means nothing without floor; set floor, or remove it"
        yield from self._waits()
        rules = self._rules()
        if isinstance(self.vote, int) and self.vote > rules:
            yield ("vote",), f"{self.vote} of {rules} rules can never be; set it to {rules} or less, or add rules"
        yield from _levels(("drift", "clearScore"), self.drift.clear_score, self.drift.score)
        if self.arming.windows > self.arming.of:
            text = f"{self.arming.windows} of {self.arming.of} can never be; set `of` to {self.arming.windows} or more"
            yield ("arming", "windows"), text
        for name, metric in self.metrics.items():
            yield from _of_metric(name, metric)

    def _waits(self) -> Iterator[Fault]:
        if self.retry.longest < self.retry.backoff:
            text = f"shorter than backoff ({duration_text(self.retry.backoff)}); set it to that or more"
            yield ("retry", "longest"), text
        if self.approval.expires <= timedelta(0):
            yield ("approval", "expires"), "nobody could answer in time; set it to 1h or more, for example"
        if self.breaker.failures is not None and self.breaker.pause <= timedelta(0):
            yield ("breaker", "pause"), "a breaker that opens for no time stops nothing; set it to 1h or more"

    def _rules(self) -> int:
        """Return how many rules there are to vote."""
        clauses = [self.max_drop, self.floor, self.drift.score]
        clauses += [clause for metric in self.metrics.values() for clause in (metric.max_drop, metric.floor)]
        return 1 + sum(clause is not None for clause in clauses)

    def rules(self) -> Policy:
        """Return what it means, without a version."""
        return Policy(
            metric=MetricRule(self.max_drop, self.clear_drop, self.floor, self.clear_floor),
            metrics={name: metric.rule() for name, metric in self.metrics.items()},
            drift=DriftRule(**dict(self.drift)),
            vote=self.vote,
            arming=Arming(**dict(self.arming)),
            cooldown=self.cooldown,
            retry=Retry(**dict(self.retry)),
            verify=Verify(**dict(self.verify)),
            breaker=Breaker(**dict(self.breaker)),
            budget=Budget(**dict(self.budget)),
            approval=Approval(**dict(self.approval)),
            features=FeatureRule(**dict(self.features)),
            max_ahead=self.max_ahead,
        )


class PolicyFile(_Words):
    """The whole file: `bees` says of single bees what is to be another way; `colony` holds for all together."""

    colony: _Colony = _Colony()
    bees: dict[str, dict[str, Any]] = Field(default_factory=dict)

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong beyond the types, here and for each bee."""
        yield from super().faults()
        for bee, words in self.bees.items():
            for path, text in self._faults_of(words):
                yield ("bees", bee, *path), text

    def strangers(self, bees: Collection[str]) -> Iterator[Fault]:
        """Yield the bees that are named here and nowhere else."""
        for bee in self.bees:
            if bee not in bees:
                known = ", ".join(sorted(bees)) or "none"
                yield ("bees", bee), f"there is no such bee; correct the name (there are: {known}), or remove it"

    def _faults_of(self, words: dict[str, Any]) -> Iterator[Fault]:
        from pydantic import ValidationError

        try:
            yield from self._with(words).faults()
        except ValidationError as error:
            for fault in error.errors():
                path = tuple(part for part in fault["loc"] if isinstance(part, str | int))
                yield path, _said(fault)

    def _with(self, words: dict[str, Any]) -> _Words:
        """Return the words for a bee: its own on top of the common ones, section by section."""
        common = self.model_dump(mode="json", by_alias=True, exclude={"colony", "bees"})
        return _Words.model_validate(_laid_over(common, words))

    def policy(self) -> Policy:
        """Return what the file means; the version is the hash of its meaning."""
        colony = Colony(
            breaker=Breaker(**dict(self.colony.breaker)),
            budget=Budget(**dict(self.colony.budget)),
            runs=self.colony.runs,
            starving=self.colony.starving,
        )
        bees = {bee: self._with(words) for bee, words in self.bees.items()}
        shown = self.model_dump(mode="json", by_alias=True, exclude={"bees"})
        meaning = {**shown, "bees": {bee: words.model_dump(mode="json", by_alias=True) for bee, words in bees.items()}}
        version = hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:12]
        common = self.rules()
        return Policy(
            **{
                **vars(common),
                "colony": colony,
                "version": version,
                "bees": {bee: words.rules() for bee, words in bees.items()},
            }
        )


def _said(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "no such setting for a bee; remove it, or correct its name"
    said = str(fault["msg"]).removeprefix("Value error, ")
    return f"{said} (it says {str(fault['input'])[:80]!r})"


def _of_metric(name: str, metric: _Metric) -> Iterator[Fault]:
    yield from _levels(("metrics", name, "clearDrop"), metric.clear_drop, metric.max_drop)
    if metric.max_drop is None and metric.floor is None:
        yield ("metrics", name), "says nothing; set maxDrop or floor"
    try:
        lower = lower_is_better(name, metric.direction)
    except Rejected:
        yield ("metrics", name), "its direction is not known; add direction: lower | higher"
        return
    floor, clear = metric.floor, metric.clear_floor
    if clear is None:
        return
    if floor is None:
        yield ("metrics", name, "clearFloor"), "means nothing without floor; set floor, or remove it"
    elif clear > floor if lower else clear < floor:
        text = f"{clear} is beyond the level that fires ({floor}); well again must be the stricter one"
        yield ("metrics", name, "clearFloor"), text


def _levels(path: tuple[str, ...], clear: Decimal | None, arm: Decimal | None) -> Iterator[Fault]:
    if clear is not None and (arm is None or clear > arm):
        limit = "none" if arm is None else str(arm)
        yield path, f"{clear} is beyond the level that fires ({limit}); well again must be the stricter one"


def _laid_over(common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    laid = dict(common)
    for name, value in own.items():
        both = isinstance(value, dict) and isinstance(laid.get(name), dict)
        laid[name] = _laid_over(laid[name], value) if both else value
    return laid

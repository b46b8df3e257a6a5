"""The policy's values: the thresholds of the rule, and everything that may hold a retrain back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import Literal

SEVERITIES = ("none", "low", "medium", "high", "critical")
Vote = Literal["any", "all"] | int


@dataclass(frozen=True)
class MetricRule:
    """What is tolerated of one metric; None switches a clause off.

    Attributes:
        max_drop: the relative drop that is still tolerated; only more than it fires.
        clear_drop: well again only at this drop or less; `max_drop` unless set.
        floor: an absolute level; a value beyond it (below, or above where lower is better) fires.
        clear_floor: well again only at this level or better; `floor` unless set.
        direction: of a metric whose direction is not known, `lower` or `higher` is better.
    """

    max_drop: Decimal | None = None
    clear_drop: Decimal | None = None
    floor: Decimal | None = None
    clear_floor: Decimal | None = None
    direction: Literal["lower", "higher"] | None = None

    @cached_property
    def levels(self) -> tuple[float, float | None]:
        """`max_drop` and `clear_drop` as floats, for every event but those that come near them."""
        return float(self.max_drop or 0), None if self.clear_drop is None else float(self.clear_drop)


@dataclass(frozen=True)
class DriftRule:
    """What of drift fires: `severity` (or a worse one, with `at_least`), or a score above `score`."""

    severity: str = "high"
    at_least: bool = False
    score: Decimal | None = None
    clear_score: Decimal | None = None

    def severe(self, severity: str | None) -> bool:
        """Tell whether a severity is one that fires; one that the order does not know never is."""
        if not self.at_least:
            return severity == self.severity
        if severity not in SEVERITIES:
            return False
        return SEVERITIES.index(severity) >= SEVERITIES.index(self.severity)


@dataclass(frozen=True)
class Arming:
    """So many bad ones of the last `of` distinct data windows make a trigger."""

    windows: int = 1
    of: int = 1


@dataclass(frozen=True)
class Retry:
    """How a failed or refused retrain is tried again: `limit` attempts in all, the wait growing by `factor`."""

    limit: int = 3
    backoff: timedelta = timedelta(days=1)
    factor: float = 2.0
    longest: timedelta = timedelta(days=7)

    def wait(self, attempt: int) -> timedelta:
        """Return how long to wait after the attempt of that number (1 for the first)."""
        grown = self.backoff.total_seconds() * self.factor ** (attempt - 1)
        return min(timedelta(seconds=min(grown, self.longest.total_seconds())), self.longest)


@dataclass(frozen=True)
class Verify:
    """How a deployed model is verified.

    Attributes:
        windows: so many distinct data windows with evidence that it is well close the incident.
        roll_back: whether a model that is worse than the one it replaced is rolled back.
        worse_by: how much worse, relative to the value that opened the incident.
        within: without any evidence for so long a person is asked; None waits for ever.
        recover: whether it takes as well that the bee's metric is near to the baseline of when the incident opened.
    """

    windows: int = 1
    roll_back: bool = True
    worse_by: Decimal = Decimal(0)
    within: timedelta | None = None
    recover: bool = False


@dataclass(frozen=True)
class Breaker:
    """So many failed or refused runs `within` a time stop all further ones for `pause`; None: never."""

    failures: int | None = None
    within: timedelta = timedelta(days=7)
    pause: timedelta = timedelta(days=1)


@dataclass(frozen=True)
class Budget:
    """What may be spent: runs per UTC day, and money per UTC month; None: no limit."""

    runs_per_day: int | None = None
    cost_per_month: Decimal | None = None


@dataclass(frozen=True)
class Approval:
    """When a person is asked: for runs or deployments always, never, or above a cost.

    Attributes:
        above_cost: a run whose estimated cost is more than this, or not known, waits for a person.
        deployments_above_cost: what a run made waits if the run cost more than this, or it is not known what.
        expires: how long the question stands.
        on_expiry: what silence means, `refuse` or `approve`.
    """

    runs: Literal["never", "always"] = "never"
    deployments: Literal["never", "always"] = "never"
    above_cost: Decimal | None = None
    deployments_above_cost: Decimal | None = None
    expires: timedelta = timedelta(days=1)
    on_expiry: Literal["refuse", "approve"] = "refuse"

    def asked_for_run(self, cost: Decimal | None) -> bool:
        """Tell whether a run of that estimated cost waits for a person; so does one whose cost nobody knows."""
        limit = self.above_cost
        return self.runs == "always" or (limit is not None and (cost is None or cost > limit))

    def asked_for_deployment(self, cost: Decimal | None) -> bool:
        """Tell whether what a run of that cost made waits for a person before it goes into production."""
        limit = self.deployments_above_cost
        return self.deployments == "always" or (limit is not None and (cost is None or cost > limit))


@dataclass(frozen=True)
class FeatureRule:
    """What findings of the features that a bee reads mean, by kind (`worker.monitor.finding`).

    Attributes:
        hold: no retrain begins while there is one of these.
        trigger: one of these is a reason to retrain.
    """

    hold: tuple[str, ...] = ()
    trigger: tuple[str, ...] = ()


@dataclass(frozen=True)
class Colony:
    """What holds for all bees together.

    Attributes:
        runs: how many runs of incidents may be in flight at once; None for no limit.
        starving: a bee that has waited so long goes before any severity.
    """

    breaker: Breaker = field(default_factory=Breaker)
    budget: Budget = field(default_factory=Budget)
    runs: int | None = None
    starving: timedelta = timedelta(days=1)


@dataclass(frozen=True)
class Policy:
    """What makes an evaluation a reason to retrain, and what holds the retrain back.

    Attributes:
        metric: of the bee's own metric.
        metrics: of further metrics, by name.
        vote: how many of the rules that have evidence must fire: any, all, or at least a number.
        cooldown: after an action, by event time and by the clock.
        features: what findings of the bee's features mean.
        max_ahead: how far ahead of the clock an event time may be.
        version: the hash of the file, recorded with each decision.
        bees: the policy of single bees, where it is another.
    """

    metric: MetricRule = field(default_factory=lambda: MetricRule(max_drop=Decimal("0.20")))
    metrics: Mapping[str, MetricRule] = field(default_factory=dict)
    drift: DriftRule = field(default_factory=DriftRule)
    vote: Vote = "any"
    arming: Arming = field(default_factory=Arming)
    cooldown: timedelta = timedelta(0)
    retry: Retry = field(default_factory=Retry)
    verify: Verify = field(default_factory=Verify)
    breaker: Breaker = field(default_factory=Breaker)
    budget: Budget = field(default_factory=Budget)
    approval: Approval = field(default_factory=Approval)
    features: FeatureRule = field(default_factory=FeatureRule)
    colony: Colony = field(default_factory=Colony)
    max_ahead: timedelta = timedelta(minutes=5)
    version: str = "default"
    bees: Mapping[str, "Policy"] = field(default_factory=dict)

    def of(self, bee: str) -> "Policy":
        """Return the policy of one bee; its version and what holds for the colony are this one's."""
        own = self.bees.get(bee)
        return self if own is None else replace(own, version=self.version, colony=self.colony)

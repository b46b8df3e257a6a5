"""How many entities a test needs and how long that takes, from the history of its metric; told before it starts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from worker.abtest.adjust import Adjustment, by_covariate, by_strata, means_before, stratum
from worker.abtest.exposures import Exposures, exposures_of
from worker.abtest.measures import Floats
from worker.abtest.outcomes import Outcomes, Rows, outcomes_of, rows_of
from worker.abtest.plan import AbPlan
from worker.abtest.source import Source
from worker.clock import to_us
from worker.evidence.sample_size import Aim, fixed_rows, sequential_rows
from worker.features.observed import Observed
from worker.models.traffic import all_to

#: So many observations that the champion has not learned from are a history.
_ENOUGH = 100


@dataclass(frozen=True)
class Forecast:
    """What is expected of a test.

    Attributes:
        metric: what decides.
        entities: with an outcome in the history; `per_day`: of them, on average.
        baseline, deviation: of one entity's outcome, in the metric's unit; None without a history.
        fixed, sequential: entities of each arm that show the minimum effect with the planned power: looked at once,
            and looked at any time; empty: not known.
        adjustment: what is taken off each outcome.
    """

    metric: str
    entities: int
    per_day: float
    baseline: float | None = None
    deviation: float | None = None
    fixed: tuple[int, ...] = ()
    sequential: tuple[int, ...] = ()
    planned: tuple[int, ...] = ()
    adjustment: Adjustment = field(default_factory=Adjustment)

    @property
    def days(self) -> float | None:
        """How long the sequential sample takes to come in; None: not known."""
        return sum(self.sequential) / self.per_day if self.sequential and self.per_day else None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "metric": self.metric,
            "entities": self.entities,
            "perDay": self.per_day,
            "baseline": self.baseline,
            "deviation": self.deviation,
            "requiredSample": {"fixed": list(self.fixed), "sequential": list(self.sequential)},
            "planned": list(self.planned),
            "expectedDays": self.days,
            "adjustment": self.adjustment.as_json(),
        }


def forecast(source: Source, champion: str, as_of: datetime, trained_until: datetime | None = None) -> Forecast:
    """Return what the history before `as_of` lets expect.

    Args:
        source: reads from `source.since` on, which is as long before `as_of` as the history shall be.
        champion: the version whose answers the metric's rows are judged by.
        as_of: nothing later counts.
        trained_until: of what it has learned from it knows the answers: older rows count only where newer are too few.

    Raises:
        Rejected: the metric is none, rows cannot be read, or no sample could show the effect.
    """
    source.check()
    if source.primary.rows is not None and trained_until is not None and source.since < trained_until < as_of:
        unseen = replace(source, since=trained_until)
        if len(unseen.observed(source.primary, trained_until, as_of)) >= _ENOUGH:
            source = unseen
    observed = source.observed(source.primary, source.since, as_of)
    past = _past(source, observed, champion, as_of)
    span = (as_of - source.since) / timedelta(days=1)
    found = Forecast(source.primary.name, len(past.outcomes), len(past.outcomes) / span)
    if len(past.outcomes) < 2:
        return found
    mean, deviation = float(np.mean(past.outcomes.values)), float(np.std(past.outcomes.values, ddof=1))
    found = replace(found, baseline=mean, deviation=deviation)
    return _better(found, _adjustment(source, observed, past, champion, as_of), source)


@dataclass(frozen=True, eq=False)
class _Past:
    exposed: Exposures
    rows: Rows
    outcomes: Outcomes


def _past(source: Source, observed: Observed, champion: str, as_of: datetime) -> _Past:
    """Return the history as a test would have seen it, each entity exposed at its first row."""
    answers = source.offline(observed if source.primary.rows else _none(observed), lambda _entity: champion)
    exposed = exposures_of(observed.ids, observed.times_us, all_to(champion))
    rows = rows_of(source.primary, observed, exposed, answers, source.bee)
    horizon = source.plan.horizon
    horizon_us = None if horizon is None else round(horizon.total_seconds() * 1e6)
    return _Past(exposed, rows, outcomes_of(rows, exposed, to_us(as_of), horizon_us))


def _none(observed: Observed) -> Observed:
    nothing = slice(0, 0)
    return Observed((), observed.times_us[nothing], observed.known_us[nothing], observed.values.take(nothing))


def _adjustment(source: Source, observed: Observed, past: _Past, champion: str, as_of: datetime) -> Adjustment:
    plan = source.plan
    if plan.stratify is not None:
        strata = source.values_at([plan.stratify], past.exposed)[plan.stratify]
        return by_strata(past.outcomes.values, [stratum(strata[place]) for place in past.outcomes.places.tolist()])
    if plan.adjust == "none":
        return Adjustment()
    # As in the test itself: what an entity did in the half before, held against what it does in the half after.
    middle = source.since + (as_of - source.since) / 2
    before, after = _halves(observed, to_us(middle))
    later = _past(source, after, champion, as_of)
    entities = [later.exposed.entities[place] for place in later.outcomes.places.tolist()]
    found = by_covariate(later.outcomes.values, _means(_past(source, before, champion, middle), entities))
    return Adjustment("cuped", found.reduction) if plan.adjust == "cuped" else found


def _means(past: _Past, entities: Sequence[str]) -> Floats:
    """Return each entity's mean in the past, NaN where it has none."""
    means, where = means_before(past.rows, len(past.exposed)), past.exposed.places
    places = (where.get(entity, -1) for entity in entities)
    return np.array([means[place] if place >= 0 else math.nan for place in places], dtype=np.float64)


def _halves(observed: Observed, middle_us: int) -> tuple[Observed, Observed]:
    first = observed.times_us < middle_us
    parts = []
    for kept in (np.flatnonzero(first), np.flatnonzero(~first)):
        ids = tuple(observed.ids[row] for row in kept.tolist())
        parts.append(Observed(ids, observed.times_us[kept], observed.known_us[kept], observed.values.take(kept)))
    return parts[0], parts[1]


def _better(found: Forecast, by: Adjustment, source: Source) -> Forecast:
    """Return the forecast with the adjustment that was asked for; left open, with the one that takes fewer entities."""
    plain = _sized(found, source)
    if not by.active:
        return plain
    adjusted = _sized(replace(found, adjustment=by), source)
    asked = source.plan.stratify is not None or source.plan.adjust == "cuped"
    return adjusted if asked or sum(adjusted.sequential) < sum(plain.sequential) else plain


def _sized(found: Forecast, source: Source) -> Forecast:
    if not found.deviation:
        return found
    aim = _aim(found, source)
    once, anytime = fixed_rows(aim), sequential_rows(aim)
    return replace(found, fixed=once.arms, sequential=anytime.arms, planned=anytime.planned)


def _aim(found: Forecast, source: Source) -> Aim:
    plan, measure = source.plan, source.primary
    effect = measure.sign * plan.minimum_effect
    shares, alpha = tuple(share / 100 for share in plan.shares), 1 - plan.confidence
    mean, deviation = found.baseline or 0.0, found.deviation or 0.0
    if found.adjustment.active:
        left = deviation * math.sqrt(max(0.0, 1 - max(0.0, found.adjustment.reduction or 0.0)))
        return Aim(effect, (left, left), mean, shares=shares, alpha=alpha, power=plan.power)
    if measure.binary and plan.horizon is None:
        # Nothing is better than perfect: then it is harm of that size that is to be seen.
        towards = effect if 0 <= mean + effect <= 1 else -effect
        return Aim.of_share(mean, towards, shares=shares, alpha=alpha, power=plan.power)
    return Aim(effect, (deviation, deviation), mean, measure.bounds, shares=shares, alpha=alpha, power=plan.power)


def covariates_of(source: Source, entities: Sequence[str], champion: str) -> Floats:
    """Return what each entity's metric was before the test, NaN where nothing is known of it. Raises Rejected."""
    start = source.since - source.bee.window / 2
    observed = source.observed(source.primary, start, source.since)
    return _means(_past(source, observed, champion, source.since), entities)


def summary(told: Mapping[str, Any], plan: AbPlan) -> str:
    """Return a forecast (as `as_json` tells it) in one sentence."""
    sizes: Sequence[int] = told["requiredSample"]["sequential"]
    if not sizes:
        return f"how many entities it takes is not known: {told['entities']} have an outcome of {told['metric']} so far"
    arms = ", ".join(f"{size:,} for {name}" for name, size in zip(plan.versions, sizes, strict=True))
    days = told["expectedDays"]
    time = "nobody knows how long" if days is None else f"about {days:.3g} days"
    late = " (longer than it may take)" if days is not None and timedelta(days=days) > plan.max_duration else ""
    return f"{sum(sizes):,} entities ({arms}), which takes {time}{late}"

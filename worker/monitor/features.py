"""Features by themselves: are they fresh, do as many values come in as before, of the same kind, within their range."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from worker.bee import DriftSpec, duration_text
from worker.clock import to_text
from worker.features.definition import range_text
from worker.features.port import Definition
from worker.monitor.column import Side, Summary
from worker.monitor.correction import corrected
from worker.monitor.distance import chi_square
from worker.monitor.drift import ColumnDrift, compare_column, judge
from worker.monitor.finding import Finding
from worker.monitor.period import Period

#: The volume has changed when it is less than this share of what it was, or more than its inverse.
VOLUME = 0.5


#: Of the period before, and of the window.
Both = tuple[int, int]


@dataclass(frozen=True)
class Observed:
    """What is known of one feature when its values have been looked at; they themselves are not kept.

    Attributes:
        column: how far the window is from the period before, nothing concluded; None where that is not compared.
        counts: values that came in.
        entities, seen: how many entities have a value, and how many were seen by any feature of the same entity.
        newest: its newest event until the window's end, if any.
        outside: values of the window outside the declared range.
    """

    definition: Definition
    column: ColumnDrift | None
    counts: Both
    entities: Both
    newest: datetime | None
    outside: int = 0
    seen: Both = (0, 0)


def observed(definition: Definition, window: Side, previous: Side | None, spec: DriftSpec) -> Observed:
    """Return what is known of a feature from its values in the window and in the period before; pure."""
    column = None if previous is None else compare_column(definition.name, previous.values, window.values, spec)
    before_it = previous or Side(Summary(0), 0, 0)
    counts, entities = (before_it.count, window.count), (before_it.entities, window.entities)
    newest = window.newest or before_it.newest
    return Observed(definition, column, counts, entities, newest, _outside(definition, window), (before_it.seen, 0))


@dataclass(frozen=True)
class FeatureState:
    """What is said of one feature.

    Attributes:
        counts: how many values came in, in the period before (0 if it was not looked at) and in the window.
        fresh_within: how old its newest value may be; None where nothing is expected.
        column: how far the window is from the period before, NaN where that was not looked at.
        found: what is wrong with its values; that it is stale is told by `stale`.
    """

    definition: Definition
    window: Period
    previous: Period
    counts: tuple[int, int]
    newest: datetime | None
    fresh_within: timedelta | None
    column: ColumnDrift
    found: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[str, ...]:
        """What is wrong with its values, in words."""
        return tuple(one.words for one in self.found)

    @property
    def stale(self) -> bool:
        """Whether its newest value is older than is expected; what never had one has none to grow old."""
        return bool(self._stale())

    @property
    def all(self) -> tuple[Finding, ...]:
        """What is wrong, that it is stale first."""
        return (*self._stale(), *self.found)

    def _stale(self) -> tuple[Finding, ...]:
        if self.fresh_within is None or self.newest is None or self.window.end - self.newest <= self.fresh_within:
            return ()
        words = (
            f"its newest value is of {to_text(self.newest)}, one is expected every {duration_text(self.fresh_within)}"
        )
        return (Finding("stale", words),)

    def with_more(self, found: Iterable[Finding]) -> "FeatureState":
        """Return it with more that is wrong."""
        return replace(self, found=(*self.found, *found))


def states(
    features: Sequence[Observed], window: Period, spec: DriftSpec, expected: timedelta | None
) -> list[FeatureState]:
    """Return what is said of each feature, those with findings first; pure.

    Args:
        features: all of them.
        window: the period looked at; as long a period before is what it is compared with.
        spec: the thresholds.
        expected: how old a newest value may be where the definition has no ttl; None: any age.
    """
    previous = before(window)
    columns = judge([_column(one, spec) for one in features], None, spec).features
    by_name = {column.name: column for column in columns}
    volumes = corrected([_volume_p(one, spec) for one in features], spec.correction)
    found = []
    for one, volume in zip(features, volumes, strict=True):
        column = by_name[one.definition.name]
        said = (*column.found, *_volume(one, volume, spec), *_range(one))
        ttl = one.definition.ttl or expected
        found.append(FeatureState(one.definition, window, previous, one.counts, one.newest, ttl, column, said))
    return ranked(found)


def ranked(states_: Iterable[FeatureState]) -> list[FeatureState]:
    """Return them by name, those with findings first."""
    return sorted(states_, key=lambda state: (not state.all, state.definition.name))


def before(window: Period) -> Period:
    """Return as long a period before a window."""
    return Period(window.start - (window.end - window.start), window.start)


def only_seen(definition: Definition, window: Period) -> FeatureState:
    """Return a feature of which nothing comes in by itself: it is computed."""
    return FeatureState(definition, window, before(window), (0, 0), None, None, _uncompared(definition.name, 0))


def _uncompared(name: str, rows: int) -> ColumnDrift:
    nan = math.nan
    return ColumnDrift(name, 0, rows, nan, nan, "", nan, nan, (nan, nan), nan, new_categories={})


def _column(one: Observed, spec: DriftSpec) -> ColumnDrift:
    """Compare the values; missing is who was seen and has no value of this feature."""
    if one.column is None:
        return _uncompared(one.definition.name, one.counts[1])
    holes = [np.array([seen - own, own]) for seen, own in zip(one.seen, one.entities, strict=True)]
    shares = [float(hole[0] / hole.sum()) if hole.sum() else math.nan for hole in holes]
    p_value = chi_square(*holes).p_value if min(one.seen) >= spec.min_rows else math.nan
    return replace(one.column, missing=(shares[0], shares[1]), missing_p_value=p_value)


def _volume_p(one: Observed, spec: DriftSpec) -> float:
    """Return how likely so different counts are of two periods in which equally many are expected."""
    was, now = one.counts
    if one.column is None or was < spec.min_rows:
        return math.nan
    from scipy.special import chdtrc  # type: ignore[import-untyped]

    return float(chdtrc(1, (was - now) ** 2 / (was + now)))


def _volume(one: Observed, p_value: float, spec: DriftSpec) -> tuple[Finding, ...]:
    was, now = one.counts
    if not p_value < spec.alpha or VOLUME <= now / was <= 1 / VOLUME:
        return ()
    return (Finding("volume", f"{now:,} values came in, {was:,} did in the period before"),)


def _outside(definition: Definition, window: Side) -> int:
    numbers = window.values.numbers
    if numbers is None or definition.type != "number":
        return 0
    low = -math.inf if definition.minimum is None else definition.minimum
    high = math.inf if definition.maximum is None else definition.maximum
    return int(np.sum((numbers < low) | (numbers > high)))


def _range(one: Observed) -> tuple[Finding, ...]:
    if not one.outside:
        return ()
    return (Finding("range", f"{one.outside:,} values lie outside {range_text(one.definition)}"),)


def drifted_data(state: FeatureState) -> dict[str, object]:
    """Return the data of a `feature.drifted` event."""
    psi, (was, now) = state.column.psi, state.column.missing
    return {
        "feature": state.definition.name,
        "entity": state.definition.entity,
        "findings": list(state.findings),
        "kinds": list(dict.fromkeys(one.kind for one in state.found)),
        "window": _period(state.window, state.counts[1]),
        "previous": _period(state.previous, state.counts[0]),
        "psi": None if math.isnan(psi) else psi,
        "missing": None if math.isnan(now) else now,
        "missingBefore": None if math.isnan(was) else was,
    }


def stale_data(state: FeatureState) -> dict[str, object]:
    """Return the data of a `feature.stale` event."""
    return {
        "feature": state.definition.name,
        "entity": state.definition.entity,
        "newestEvent": None if state.newest is None else to_text(state.newest),
        "expectedEvery": duration_text(state.fresh_within or timedelta(0)),
        "asOf": to_text(state.window.end),
    }


def _period(period: Period, values: int) -> dict[str, object]:
    return {"start": to_text(period.start), "end": to_text(period.end), "values": values}

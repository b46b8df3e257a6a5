"""Features by themselves: are they fresh, do as many values come in as before, of the same kind, within their range."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from worker.bee import DriftSpec, duration_text
from worker.clock import from_us, to_text
from worker.errors import Rejected
from worker.features.definition import range_text
from worker.features.port import Definition, FeatureStore, LabelWindow, Reader, TrainingRequest
from worker.monitor.column import Summary, summed_up
from worker.monitor.correction import corrected
from worker.monitor.distance import chi_square
from worker.monitor.drift import ColumnDrift, compare_column, judge
from worker.monitor.period import Period
from worker.monitor.rows import Rows, no_rows, read_rows

#: The volume has changed when it is less than this share of what it was, or more than its inverse.
VOLUME = 0.5
#: How many there were, in the period before and in the window.
Both = tuple[int, int]
_READER = Reader("monitor:features", "batch")


@dataclass(frozen=True)
class Observed:
    """One feature's values in the window and in the period before; `newest` is its newest event by then, if any."""

    definition: Definition
    window: Summary
    previous: Summary
    newest: datetime | None
    entities: tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True)
class FeatureState:
    """What is said of one feature.

    Attributes:
        fresh_within: how old its newest value may be; None where nothing is expected.
        findings: what is wrong with its values, in words; that it is stale is said by `stale` alone.
    """

    definition: Definition
    window: Period
    previous: Period
    counts: tuple[int, int]
    newest: datetime | None
    fresh_within: timedelta | None
    column: ColumnDrift
    findings: tuple[str, ...]

    @property
    def stale(self) -> bool:
        """Whether its newest value is older than is expected; what never had one has none to grow old."""
        if self.fresh_within is None or self.newest is None:
            return False
        return self.window.end - self.newest > self.fresh_within


def observe(store: FeatureStore, definition: Definition, start: datetime, middle: datetime, end: datetime) -> Observed:
    """Read an ingested feature's values of [start, end), known by then, cut in two at `middle`. Raises Rejected."""
    rows = _values(store, definition, start, end)
    parts = rows.within(start, middle), rows.within(middle, end)
    before, now = (summed_up(part.column(definition.name, definition.type)) for part in parts)
    newest = from_us(int(np.max(rows.times_us))) if len(rows) else None
    return Observed(definition, now, before, newest, (frozenset(parts[0].entities), frozenset(parts[1].entities)))


def _values(store: FeatureStore, definition: Definition, start: datetime, end: datetime) -> Rows:
    request = TrainingRequest(definition.entity, (), label=LabelWindow(definition.name, start, end))
    try:
        return read_rows(store, request, _READER)
    except Rejected as error:
        if error.field != "respectKnownAt":
            raise
        return no_rows()


def states(
    observed: Sequence[Observed], window: Period, spec: DriftSpec, expected: timedelta | None
) -> list[FeatureState]:
    """Return what is said of each feature, those with findings first; pure.

    Args:
        observed: every feature.
        window: the period looked at; as long a period before is what it is compared with.
        spec: the thresholds.
        expected: how old a newest value may be where the definition has no ttl; None: any age.
    """
    previous = Period(window.start - (window.end - window.start), window.start)
    seen = _seen(observed)
    columns = judge([_column(one, seen[one.definition.entity], spec) for one in observed], None, spec).features
    by_name = {column.name: column for column in columns}
    volumes = corrected([_volume_p(one, spec) for one in observed], spec.correction)
    found = []
    for one, volume in zip(observed, volumes, strict=True):
        column = by_name[one.definition.name]
        said = (*column.findings, *_volume(one, volume, spec), *_range(one))
        counts = one.previous.known, one.window.known
        ttl = one.definition.ttl or expected
        found.append(FeatureState(one.definition, window, previous, counts, one.newest, ttl, column, said))
    return sorted(found, key=lambda state: (not (state.stale or state.findings), state.definition.name))


def _seen(observed: Sequence[Observed]) -> dict[str, Both]:
    """Return who was seen by any feature of its entity, before and now."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for one in observed:
        sides = found.setdefault(one.definition.entity, (set(), set()))
        for side, entities in zip(sides, one.entities, strict=True):
            side.update(entities)
    return {entity: (len(before), len(now)) for entity, (before, now) in found.items()}


def _column(one: Observed, seen: Both, spec: DriftSpec) -> ColumnDrift:
    """Compare the values; missing is who was seen and has no value of this feature."""
    column = compare_column(one.definition.name, one.previous, one.window, spec)
    holes = [np.array([all_ - len(own), len(own)]) for all_, own in zip(seen, one.entities, strict=True)]
    before, now = (hole[0] / hole.sum() if hole.sum() else math.nan for hole in holes)
    p_value = chi_square(*holes).p_value if min(seen) >= spec.min_rows else math.nan
    return replace(column, missing=(float(before), float(now)), missing_p_value=p_value)


def _volume_p(one: Observed, spec: DriftSpec) -> float:
    """Return how likely so different counts are of two periods in which equally many are expected."""
    before, now = one.previous.known, one.window.known
    if before < spec.min_rows:
        return math.nan
    from scipy.special import chdtrc  # type: ignore[import-untyped]

    return float(chdtrc(1, (before - now) ** 2 / (before + now)))


def _volume(one: Observed, p_value: float, spec: DriftSpec) -> tuple[str, ...]:
    before, now = one.previous.known, one.window.known
    if not p_value < spec.alpha or VOLUME <= now / before <= 1 / VOLUME:
        return ()
    return (f"{now:,} values came in, {before:,} did in the period before",)


def _range(one: Observed) -> tuple[str, ...]:
    numbers, definition = one.window.numbers, one.definition
    if numbers is None or definition.type != "number":
        return ()
    low = -math.inf if definition.minimum is None else definition.minimum
    high = math.inf if definition.maximum is None else definition.maximum
    outside = int(np.sum((numbers < low) | (numbers > high)))
    return (f"{outside:,} values lie outside {range_text(definition)}",) if outside else ()


def drifted_data(state: FeatureState) -> dict[str, object]:
    """Return the data of a `feature.drifted` event."""
    psi, (before, now) = state.column.psi, state.column.missing
    return {
        "feature": state.definition.name,
        "entity": state.definition.entity,
        "findings": list(state.findings),
        "window": _period(state.window, state.counts[1]),
        "previous": _period(state.previous, state.counts[0]),
        "psi": None if math.isnan(psi) else psi,
        "missing": None if math.isnan(now) else now,
        "missingBefore": None if math.isnan(before) else before,
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

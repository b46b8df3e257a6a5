"""Evidence from `model.evaluated` events: what they tell of the same windows of both versions; pure.

Only windows count that began with the rollout or later and that both versions were told of; of windows that overlap
the one that ended first. What a window is worth depends on the metric:

- a share of 0/1 outcomes (accuracy, error rate …) over n samples is n outcomes: the beta-binomial sequence, which does
  not ask in which order they came, for each version at half the level;
- where the plan declares the `bounds` of single values the metric is taken for a mean of n such values: the
  sub-Gaussian sequence (H. Robbins' normal mixture, with the widest variation that the bounds allow), also at halves;
- anything else (F1, a latency, its 95th percentile) is one observation, however many samples it rests on: the
  difference of both versions in that window, weighted by the smaller sample, with the asymptotic sequence, from
  `FEWEST_WINDOWS` windows' weight on; fewer prove nothing.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from worker.clock import parse_time, to_text
from worker.evidence.boundary import asymptotic
from worker.evidence.interval import EVERYTHING, Interval
from worker.rollout.evidence import Compared, Evidence
from worker.rollout.machine import Rollout
from worker.rollout.measure import SHARES, Measure

#: So much weight in equal windows is the least that an asymptotic interval is believed with.
FEWEST_WINDOWS = 10
#: So many windows of a version are kept; beyond it the oldest go.
MOST_WINDOWS = 2000
_PLANNED_WINDOWS = 30
_PLANNED_SAMPLES = 2000


@dataclass(frozen=True)
class Window:
    """What one event tells of one version in one window.

    Attributes:
        key: the same window of both versions has the same.
        at: event time of the evaluation.
        samples: how many the metrics rest on; None: not told, and then it is evidence of nothing.
    """

    version: str
    key: str
    at: datetime
    start: datetime | None = None
    end: datetime | None = None
    samples: int | None = None
    metrics: Mapping[str, float | None] | None = None


@dataclass(frozen=True)
class _Pair:
    """One window as both versions' events tell it."""

    samples: tuple[int, int]
    values: Mapping[str, tuple[float, float]]
    began: datetime

    @property
    def weight(self) -> int:
        return min(self.samples)


def wanted(rollout: Rollout) -> frozenset[str]:
    """Return the metrics that count."""
    return frozenset({rollout.primary.metric, *rollout.plan.guards})


def heard(rollout: Rollout, window: Window) -> tuple[Rollout, str]:
    """Return the rollout with what an event told, and in words what that adds; the same window again replaces it."""
    metrics = {name: value for name, value in (window.metrics or {}).items() if name in wanted(rollout)}
    if not metrics:
        return rollout, f"it tells nothing of {', '.join(sorted(wanted(rollout)))}, which the rollout goes by"
    if not window.samples:
        return rollout, "it does not tell on how many samples it rests, so it is evidence of nothing"
    if (window.start or window.at) < rollout.started_at:
        return rollout, f"its window began before the rollout did ({to_text(rollout.started_at)}), so it proves nothing"
    kept = {**rollout.windows.get(window.version, {}), window.key: _encoded(window, metrics)}
    newest = sorted(kept.items(), key=lambda item: (item[1]["at"], item[0]))[-MOST_WINDOWS:]
    after = replace(rollout, windows={**rollout.windows, window.version: dict(newest)})
    other = rollout.champion if window.version == rollout.version else rollout.version
    both = window.key in rollout.windows.get(other, {})
    told = ", ".join(f"{name} {_shown(value)}" for name, value in sorted(metrics.items()))
    alone = "" if both else f"; it counts when version {other} is told of the same window"
    return after, f"its rollout heard {told} on {window.samples} samples{alone}"


def evidence(rollout: Rollout, as_of: datetime) -> Evidence:
    """Return what the events told so far prove."""
    pairs = list(_pairs(rollout))
    name = rollout.primary.metric
    primary = _compared(rollout.primary, pairs, 1 - rollout.plan.confidence)
    since = sum(pair.weight for pair in pairs if name in pair.values and pair.began >= rollout.step_at)
    return Evidence(rollout.id, rollout.step, as_of, primary, _guards(rollout, pairs), since)


def guards(rollout: Rollout) -> dict[str, Compared]:
    """Return what the events told so far prove of the guards."""
    return _guards(rollout, list(_pairs(rollout)))


def _guards(rollout: Rollout, pairs: Sequence[_Pair]) -> dict[str, Compared]:
    alpha = 1 - rollout.plan.confidence
    measures = {
        name: Measure(name, guard.lower_is_better, (0.0, 1.0) if name in SHARES else guard.bounds)
        for name, guard in rollout.plan.guards.items()
    }
    return {name: _compared(measure, pairs, alpha) for name, measure in measures.items()}


def _pairs(rollout: Rollout) -> Iterator[_Pair]:
    """Yield the windows that count, oldest first, none of which overlaps another."""
    champion, challenger = (rollout.windows.get(version, {}) for version in (rollout.champion, rollout.version))
    both = [(key, champion[key], challenger[key]) for key in champion if key in challenger]
    reached: datetime | None = None
    for _, ours, theirs in sorted(both, key=lambda one: (one[2]["end"] or one[2]["at"], one[2]["at"], one[0])):
        start, end = (parse_time(theirs[name]) if theirs[name] else None for name in ("start", "end"))
        if start and reached and start < reached:
            continue
        reached = end or reached
        names = ours["metrics"].keys() & theirs["metrics"].keys()
        values = {name: (ours["metrics"][name], theirs["metrics"][name]) for name in names}
        told = {name: pair for name, pair in values.items() if None not in pair}
        yield _Pair((ours["samples"], theirs["samples"]), told, start or parse_time(theirs["at"]))


def _compared(measure: Measure, pairs: Sequence[_Pair], alpha: float) -> Compared:
    name, paired = measure.metric, measure.bounds is None
    known = [(pair, *pair.values[name]) for pair in pairs if name in pair.values and measure.holds(pair.values[name])]
    if not known:
        return Compared(name, source="events")
    # Both means are weighted by what is compared: windows, or all samples of each version.
    shares = [(pair.weight, pair.weight) if paired else pair.samples for pair, _, _ in known]
    ours, theirs = sum(n for n, _ in shares), sum(n for _, n in shares)
    champion = sum(n * value for (n, _), (_, value, _) in zip(shares, known, strict=True)) / ours
    challenger = sum(n * value for (_, n), (_, _, value) in zip(shares, known, strict=True)) / theirs
    if paired:
        where = _of_windows([(pair.weight, new - old) for pair, old, new in known], alpha)
    else:
        old, new = _of_samples(measure, champion, ours, alpha / 2), _of_samples(measure, challenger, theirs, alpha / 2)
        where = Interval(new.lower - old.upper, new.upper - old.lower)
    gain = champion - challenger if measure.lower_is_better else challenger - champion
    lower, upper = (where.negated() if measure.lower_is_better else where).finite()
    count = sum(pair.weight for pair, _, _ in known)
    return Compared(name, count, champion, challenger, gain, lower, upper, "events")


def _of_samples(measure: Measure, mean: float, count: int, alpha: float) -> Interval:
    """Return where the mean of single values lies whose bounds are known."""
    lower, upper = measure.bounds or (0.0, 1.0)
    if measure.share:
        from worker.evidence.running import Running

        hits = min(max(round(mean * count), 0), count)
        stream = Running((0.0, 1.0), binary=True, planned=_PLANNED_SAMPLES, count=count, origin=0.5)
        return replace(stream, total=hits - count / 2).interval(alpha)
    half = asymptotic(((upper - lower) / 2) ** 2, count, alpha, _PLANNED_SAMPLES)
    return Interval(mean - half, mean + half)


def _of_windows(differences: Sequence[tuple[int, float]], alpha: float) -> Interval:
    """Return where the weighted mean of the windows' differences lies."""
    total = sum(weight for weight, _ in differences)
    squares = sum(weight**2 for weight, _ in differences)
    windows = total**2 / squares
    if windows < FEWEST_WINDOWS or len(differences) < FEWEST_WINDOWS:
        return EVERYTHING
    mean = sum(weight * value for weight, value in differences) / total
    strayed = sum((weight * (value - mean)) ** 2 for weight, value in differences) / total**2
    variance = strayed * windows * len(differences) / (len(differences) - 1)
    half = asymptotic(variance, math.floor(windows), alpha, _PLANNED_WINDOWS)
    return Interval(mean - half, mean + half)


def _encoded(window: Window, metrics: Mapping[str, float | None]) -> dict[str, Any]:
    return {
        "at": to_text(window.at),
        "start": to_text(window.start) if window.start else None,
        "end": to_text(window.end) if window.end else None,
        "samples": window.samples,
        "metrics": dict(metrics),
    }


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"

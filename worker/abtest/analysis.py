"""What the evidence of a test says by a time: effects with their sequences, guards, exposure and slices; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from worker.abtest.exposures import Exposures
from worker.abtest.machine import Arm, Findings, Guarded
from worker.abtest.measures import Measure
from worker.abtest.plan import AbPlan
from worker.abtest.streams import Series, State, count, effect, mean
from worker.clock import from_us, to_us
from worker.evidence.effect import Effect
from worker.evidence.many import Comparison, compared
from worker.evidence.ratio import Ratio, sample_ratio
from worker.evidence.running import Running
from worker.evidence.verdict import Verdict, verdict

#: So many points show how an effect went.
_POINTS, _LEAST_US = 48, 60_000_000


@dataclass(frozen=True, eq=False)
class Gathered:
    """All evidence there is.

    Attributes:
        primary, guards: the metrics' outcomes.
        slices: feature -> the slice of each exposed entity.
    """

    exposed: Exposures
    primary: Series
    guards: Mapping[str, Series] = field(default_factory=dict)
    slices: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """How things stood at a time, by arm; effects are of each version but the control, positive is better."""

    at: datetime
    exposed: tuple[int, ...]
    counted: tuple[int, ...]
    means: tuple[float | None, ...]
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class GuardResult:
    """A guard of one version; positive is better, `sign` makes its means what they are."""

    metric: str
    version: str
    effect: Effect
    margin: float
    verdict: Verdict
    sign: int

    @property
    def words(self) -> str:
        """Its numbers in words, in the metric's own direction."""
        ours, theirs = (
            "nothing" if one is None else f"{self.sign * one:.4g}"
            for one in (self.effect.challenger, self.effect.champion)
        )
        said = self.verdict.value.replace("_", " ")
        return f"{self.metric} {ours} against {theirs}, margin {self.margin:.4g}: {said}"


@dataclass(frozen=True)
class SliceResult:
    """A version in one slice; exploratory, corrected for all of them."""

    feature: str
    value: str
    version: str
    found: Comparison


@dataclass(frozen=True)
class Analysis:
    """What is known by a time.

    Attributes:
        ratio: the assigned exposures against the split; `served`: those by the version that answered.
        points: how the effects went, the last as of now.
        crossed: entities that another version than the assigned one answered first.
        early, unanswered: outcomes that are evidence of nothing: true before the exposure, or without an answer.
    """

    at: datetime
    measure: Measure
    points: tuple[Point, ...]
    ratio: Ratio
    served: Ratio
    guards: tuple[GuardResult, ...] = ()
    slices: tuple[SliceResult, ...] = ()
    crossed: int = 0
    early: int = 0
    unanswered: int = 0

    @property
    def now(self) -> Point:
        """The newest point."""
        return self.points[-1]

    def findings(self, plan: AbPlan) -> Findings:
        """Return what the test's state depends on."""
        pairs = zip(plan.versions[1:], self.now.effects, strict=True)
        arms = tuple(Arm(name, one.difference, one.interval) for name, one in pairs)
        guards = tuple(Guarded(one.metric, one.version, one.verdict, one.words) for one in self.guards)
        return Findings(self.at, arms, guards, self.broken(plan))

    def broken(self, plan: AbPlan) -> str:
        """Return how the exposures differ from the split, in words; empty: they do not."""
        for ratio, word in ((self.ratio, "exposed"), (self.served, "served")):
            if ratio.broken():
                told = ", ".join(f"{number} {name}" for name, number in zip(plan.versions, ratio.counts, strict=True))
                return f"{word} {told}, planned {':'.join(map(str, plan.shares))} (p {ratio.p_value:.2g}, always valid)"
        return ""


def analyse(plan: AbPlan, gathered: Gathered, since: datetime, as_of: datetime) -> Analysis:
    """Return what the evidence says."""
    exposed, primary = gathered.exposed, gathered.primary
    shares = plan.shares
    return Analysis(
        at=as_of,
        measure=primary.measure,
        points=tuple(_points(plan, gathered, since, as_of)),
        ratio=sample_ratio(_counts(exposed.arms, len(shares)), shares),
        served=sample_ratio(_counts(exposed.served[exposed.served >= 0], len(shares)), shares),
        guards=tuple(_guards(plan, gathered)),
        slices=tuple(_slices(plan, gathered)),
        crossed=exposed.crossed,
        early=primary.outcomes.early,
        unanswered=primary.outcomes.unanswered,
    )


def _points(plan: AbPlan, gathered: Gathered, since: datetime, as_of: datetime) -> list[Point]:
    series, exposed = gathered.primary, gathered.exposed
    arms, done, found = range(len(plan.versions)), 0, []
    states = [series.begun(arm) for arm in arms]
    for cut in _cuts(since, as_of):
        until = int(np.searchsorted(series.outcomes.ready_us, cut, side="right"))
        new = np.arange(done, until)
        states = [series.added(states[arm], new[series.arms[new] == arm]) for arm in arms]
        shown = _counts(exposed.arms[exposed.times_us <= cut], len(states))
        found.append(_point(from_us(cut), shown, states, series.measure.sign, plan.alpha))
        done = until
    return found


def _point(at: datetime, shown: list[int], states: Sequence[State], sign: int, alpha: float) -> Point:
    means = tuple(None if (one := mean(state)) is None else sign * one for state in states)
    effects = tuple(effect(treated, states[0], alpha) for treated in states[1:])
    return Point(at, tuple(shown), tuple(count(state) for state in states), means, effects)


def _cuts(since: datetime, as_of: datetime) -> list[int]:
    first, last = to_us(since), to_us(as_of)
    steps = max(1, min(_POINTS, (last - first) // _LEAST_US))
    return [first + (last - first) * number // steps for number in range(1, steps + 1)]


def _counts(arms: "np.ndarray[tuple[int], np.dtype[np.intp]]", number: int) -> list[int]:
    return [int(one) for one in np.bincount(arms, minlength=number)]


def _guards(plan: AbPlan, gathered: Gathered) -> list[GuardResult]:
    found = []
    for name, series in gathered.guards.items():
        spec, (control, *others) = plan.guards[name], series.states(len(plan.versions))
        for version, treated in zip(plan.versions[1:], others, strict=True):
            # All guards together stop a harmless test with the chance of one.
            seen = effect(treated, control, plan.alpha / len(gathered.guards))
            margin = spec.margin * abs(seen.champion or 0.0) if spec.relative else spec.margin
            said = Verdict.OPEN if min(seen.rows) < spec.min_samples else verdict(seen.interval, margin)
            found.append(GuardResult(name, version, seen, margin, said, series.measure.sign))
    return found


def _slices(plan: AbPlan, gathered: Gathered) -> list[SliceResult]:
    """Return every version in every slice, unadjusted."""
    series, pairs = gathered.primary.plain, {}
    for feature, values in gathered.slices.items():
        names = np.array([values[place] for place in series.outcomes.places.tolist()], dtype=np.object_)
        for value in sorted(set(names.tolist())):
            control, *others = series.states(len(plan.versions), names == value)
            for version, treated in zip(plan.versions[1:], others, strict=True):
                if isinstance(treated, Running) and isinstance(control, Running):
                    pairs[feature, value, version] = (treated, control)
    found = compared({"\n".join(key): arms for key, arms in pairs.items()}, 1 - plan.confidence)
    return [SliceResult(*key, found["\n".join(key)]) for key in pairs]

"""One arm's outcomes as they come in, plain or adjusted, and the effect between two arms; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from worker.abtest.measures import Floats, Measure
from worker.abtest.outcomes import Outcomes
from worker.evidence.cuped import Covaried, adjusted
from worker.evidence.effect import Effect, plain
from worker.evidence.running import PLANNED, Running
from worker.evidence.stratify import stratified

#: Plain outcomes; with what was known before; or by stratum.
State = Running | Covaried | Mapping[str, Running]


@dataclass(frozen=True, eq=False)
class Series:
    """One metric's outcomes, ready to be compared.

    Attributes:
        arms: of the entities of the outcomes.
        covariates: of the same entities, NaN where nothing was known before the test; None: not adjusted by one.
        strata: of the same entities; None: not stratified.
        planned: entities of each arm at which the sequences are narrowest; empty: the usual.
        single: each outcome is one observation's, not the mean of several.
    """

    measure: Measure
    outcomes: Outcomes
    arms: NDArray[np.intp]
    covariates: Floats | None = None
    strata: Sequence[str] | None = None
    planned: tuple[int, ...] = ()
    single: bool = True

    @property
    def plain(self) -> "Series":
        """The same without any adjustment."""
        return replace(self, covariates=None, strata=None)

    def begun(self, arm: int) -> State:
        """Return an arm before its first outcome."""
        planned = self.planned[arm] if self.planned else PLANNED
        if self.covariates is not None:
            return Covaried.of(planned=planned)
        return {} if self.strata is not None else self._plain(planned)

    def added(self, state: State, rows: NDArray[np.intp]) -> State:
        """Return an arm's state after some of the outcomes, by their places; more is better in it."""
        values = self.measure.sign * self.outcomes.values[rows]
        if isinstance(state, Running):
            return state.add(values)
        if isinstance(state, Covaried) and self.covariates is not None:
            return state.add(values, self.covariates[rows])
        names = [(self.strata or ())[row] for row in rows.tolist()]
        strata: dict[str, Running] = dict(state) if isinstance(state, Mapping) else {}
        for name in dict.fromkeys(names):
            inside = np.array([one == name for one in names])
            strata[name] = strata.get(name, Running.of(None)).add(values[inside])
        return strata

    def states(self, number: int, kept: NDArray[np.bool_] | None = None) -> list[State]:
        """Return every arm after all outcomes, or those that are kept."""
        inside = np.ones(len(self.arms), np.bool_) if kept is None else kept
        arms = range(number)
        return [self.added(self.begun(arm), np.flatnonzero((self.arms == arm) & inside)) for arm in arms]

    def _plain(self, planned: int) -> Running:
        measure = self.measure
        if measure.bounds is None:
            return Running.of(None, planned=planned)
        lower, upper = sorted(measure.sign * bound for bound in measure.bounds)
        return Running.of((lower, upper), binary=measure.binary and self.single, planned=planned)


def effect(treated: State, control: State, alpha: float) -> Effect:
    """Return how much better one arm is than another, whose states are of one series."""
    if isinstance(treated, Running) and isinstance(control, Running):
        return plain(treated, control, alpha)
    if isinstance(treated, Covaried) and isinstance(control, Covaried):
        return adjusted(treated, control, alpha)
    if isinstance(treated, Mapping) and isinstance(control, Mapping):
        return stratified(treated, control, alpha)
    raise TypeError("arms of different series")


def count(state: State) -> int:
    """Return how many outcomes an arm has."""
    if isinstance(state, Mapping):
        return sum(one.count for one in state.values())
    return state.outcome.count if isinstance(state, Covaried) else state.count


def mean(state: State) -> float | None:
    """Return an arm's mean as it is, without any adjustment; None without outcomes."""
    if isinstance(state, Mapping):
        whole = count(state)
        return sum((one.mean or 0.0) * one.count for one in state.values()) / whole if whole else None
    return state.outcome.mean if isinstance(state, Covaried) else state.mean

"""What is known of a mean while its observations come in, valid however often it is looked at; pure.

A stream's state is a handful of sums, the same to the last bit however the observations were cut into batches.

*Bounded* streams have the empirical-Bernstein confidence sequence of S. R. Howard, A. Ramdas, J. McAuliffe and
J. Sekhon (Annals of Statistics 49, 2021), theorem 4, with its gamma-exponential mixture: for every number of rows, and
for observations that depend on each other too; it covers the average of what each observation was expected to be.
*Binary* ones have the beta-binomial mixture (H. Robbins, 1970; Howard et al., proposition 7), which holds for a
constant chance. *Unbounded* ones have the asymptotic confidence sequence of I. Waudby-Smith et al. (Annals of
Statistics 52, 2024), which is approximately valid once the central limit has begun: from `FEWEST_UNBOUNDED` rows on,
more where they are skewed (after W. G. Cochran's rule of 25 times the squared skewness, 1977, here 10 times) and never
while all are equal; before that nothing is known. So declare bounds where there are any.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from worker.errors import Rejected
from worker.evidence.binary import log_evidence
from worker.evidence.boundary import asymptotic, concentration, log_mixture, sub_exponential, tuned
from worker.evidence.interval import EVERYTHING, Interval
from worker.evidence.reach import Side, root, widest

__all__ = ["EVERYTHING", "FEWEST_UNBOUNDED", "PLANNED", "PLANNED_UNBOUNDED", "Interval", "Running", "difference"]

Floats = NDArray[np.float64]
#: Rows at which sequences are narrowest, where nothing else was planned; far from it they lose a tenth or so.
PLANNED = 500
#: Asymptotic sequences that are narrow early are so where they are least sure: those are planned for so many at least.
PLANNED_UNBOUNDED = 2000
#: Fewer unbounded values are no evidence: the central limit has not begun.
FEWEST_UNBOUNDED = 100
#: Nor are fewer than so many times their squared skewness.
_PER_SKEWNESS = 10
#: So much beyond its bounds, as a share of the range, a value is there by rounding alone.
_ROUNDING = 1e-9
_HALF = math.log(2)


@dataclass(frozen=True)
class Running:
    """The state of one stream.

    Attributes:
        bounds: between which every value lies; None: unbounded.
        binary: every value is one of the bounds.
        planned: rows at which the intervals are narrowest, chosen before the first.
        count: of the values so far.
        origin: what is taken from each value before it is summed: the middle of the bounds, else the first value.
        total: the sum of the values less the origin.
        variation: the sum of the squared distances from what was predicted before each value.
        squares: the sum of the squared distances from the mean.
        cubes: the sum of the cubed distances from the mean of the values before each.
    """

    bounds: tuple[float, float] | None
    binary: bool = False
    planned: int = PLANNED
    count: int = 0
    origin: float = 0.0
    total: float = 0.0
    variation: float = 0.0
    squares: float = 0.0
    cubes: float = 0.0

    @classmethod
    def of(cls, bounds: tuple[float, float] | None, *, binary: bool = False, planned: int = PLANNED) -> Self:
        """Begin a stream.

        Args:
            bounds: between which every value lies, of a paired difference of shares (-1, 1); None: unbounded.
            binary: every value is one of the two bounds; its intervals are narrower near them.
            planned: the number of rows at which the intervals shall be narrowest; never chosen after a look.

        Raises:
            Rejected: the bounds are none, or a binary stream has none.
        """
        if bounds is None:
            if binary:
                raise Rejected("a binary stream has two values", field="bounds", mend="tell them as bounds")
            return cls(None, planned=max(planned, PLANNED_UNBOUNDED))
        lower, upper = bounds
        if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper):
            raise Rejected(f"{lower} to {upper} bounds nothing", field="bounds", mend="tell the lower, then the upper")
        return cls((lower, upper), binary, max(planned, 1), origin=(lower + upper) / 2)

    def add(self, values: ArrayLike) -> Self:
        """Return the state after further values, in the order in which they became known.

        Raises:
            Rejected: a value is not finite, or beyond the bounds.
        """
        found = np.asarray(values, dtype=np.float64).ravel()
        if not len(found):
            return self
        self._check(found)
        origin = float(found[0]) if self.bounds is None and not self.count else self.origin
        away, before = found - origin, self.count + np.arange(len(found), dtype=np.float64)
        totals = np.add.accumulate(np.concatenate(([self.total], away)))
        # The prediction counts the origin as one value: it lies within the bounds from the first on.
        missed = (away - totals[:-1] / (before + 1)) ** 2
        strayed = (away - totals[:-1] / np.maximum(before, 1)) * (before > 0)
        return replace(
            self,
            count=self.count + len(found),
            origin=origin,
            total=float(totals[-1]),
            variation=_continued(self.variation, missed),
            squares=_continued(self.squares, strayed**2 * (before / (before + 1))),
            cubes=_continued(self.cubes, strayed**3),
        )

    @property
    def mean(self) -> float | None:
        """Of the values so far; None without any."""
        return self.origin + self.total / self.count if self.count else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation of the values so far; None without two."""
        return math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else None

    @property
    def settled(self) -> bool:
        """Whether the central limit holds of so many values, skewed as they are: only then unbounded ones tell."""
        if self.count < FEWEST_UNBOUNDED or not self.squares:
            return False
        skewness2 = self.cubes**2 / self.squares**3 * self.count
        return self.count >= _PER_SKEWNESS * skewness2

    def interval(self, alpha: float) -> Interval:
        """Return where the mean lies: with chance 1 − alpha that holds at all looks together, both sides."""
        if self.mean is None:
            return EVERYTHING if self.bounds is None else Interval(*self.bounds)
        if self.bounds is None:
            return _around(self.mean, self._asymptotic(alpha))
        wanted, (below, above) = -math.log(alpha), self.sides()
        return Interval(
            self.mean - min(below.reach(wanted), below.most), self.mean + min(above.reach(wanted), above.most)
        )

    def sides(self) -> tuple[Side, Side]:
        """Return the evidence against means below and above the one that was seen, of a bounded stream.

        Both sides are tested by one e-process, so that they share a level.

        Raises:
            ValueError: the stream is unbounded or empty.
        """
        if self.bounds is None or self.mean is None:
            raise ValueError("only bounded values that were seen have such evidence")
        make = self._binary_side if self.binary else self._bounded_side
        return make(-1, self.mean - self.bounds[0]), make(1, self.bounds[1] - self.mean)

    def encoded(self) -> dict[str, Any]:
        """Return the state as JSON can tell it."""
        return {**asdict(self), "bounds": None if self.bounds is None else list(self.bounds)}

    @classmethod
    def decoded(cls, told: Mapping[str, Any]) -> Self:
        """Return the state that `encoded` told."""
        bounds = told["bounds"]
        return cls(**{**told, "bounds": None if bounds is None else (float(bounds[0]), float(bounds[1]))})

    def _bounded_side(self, _: int, most: float) -> Side:
        lower, upper = self.bounds or (0.0, 1.0)
        step, rho = self.count / (upper - lower), tuned(self.planned)
        variation = self.variation / (upper - lower) ** 2
        # Half of the evidence is for this side; that of the other half, which is little here, is left out.
        return Side(
            lambda distance: log_mixture(distance * step, variation, rho)[0] - _HALF,
            most,
            lambda wanted: sub_exponential(variation, wanted + _HALF, rho) / step,
        )

    def _binary_side(self, sign: int, most: float) -> Side:
        lower, upper = self.bounds or (0.0, 1.0)
        hits = round((self.total / self.count + self.origin - lower) / (upper - lower) * self.count)
        dense = concentration(self.planned)

        def evidence(distance: float) -> float:
            chance = hits / self.count + sign * distance / (upper - lower)
            return log_evidence(min(max(chance, 0.0), 1.0), hits, self.count - hits, dense)

        return Side(evidence, most, lambda wanted: root(evidence, most, wanted))

    def _asymptotic(self, alpha: float) -> float:
        if not self.settled:
            return math.inf
        return asymptotic(self.squares / (self.count - 1), self.count, alpha, self.planned)

    def _check(self, found: Floats) -> None:
        least, most = float(found.min()), float(found.max())
        if not (math.isfinite(least) and math.isfinite(most)):
            raise Rejected("a value is not a finite number", field="values", mend="leave out rows without a value")
        if self.bounds is None:
            return
        lower, upper = self.bounds
        slack = _ROUNDING * (upper - lower)
        if least < lower - slack or most > upper + slack:
            raise Rejected(
                f"values from {least} to {most} are not between {lower} and {upper}",
                field="bounds",
                mend="declare bounds that hold every value, or none",
            )
        if self.binary and not np.all((np.abs(found - lower) <= slack) | (np.abs(found - upper) <= slack)):
            raise Rejected(f"a value is neither {lower} nor {upper}", field="binary", mend="declare it as not binary")


def difference(challenger: Running, champion: Running, alpha: float) -> Interval:
    """Return the always valid interval of challenger's mean minus champion's, of two streams that are not paired.

    Bounded: what the product of both streams' evidence leaves over. If one is unbounded: the asymptotic sequence of the
    difference as a mean over all rows of both, for arms to which rows come in constant shares.
    """
    if challenger.mean is None or champion.mean is None:
        return EVERYTHING
    seen = challenger.mean - champion.mean
    if challenger.bounds is None or champion.bounds is None:
        return _around(seen, _asymptotic_of_two(challenger, champion, alpha))
    (ours_below, ours_above), (theirs_below, theirs_above) = challenger.sides(), champion.sides()
    wanted = -math.log(alpha)
    return Interval(seen - widest(ours_below, theirs_above, wanted), seen + widest(ours_above, theirs_below, wanted))


def _asymptotic_of_two(first: Running, second: Running, alpha: float) -> float:
    if not (first.settled and second.settled):
        return math.inf
    rows = first.count + second.count
    variance = sum(arm.squares / (arm.count - 1) / arm.count for arm in (first, second)) * rows
    return asymptotic(variance, rows, alpha, first.planned + second.planned)


def _continued(carried: float, terms: Floats) -> float:
    # Summed in order, never in pairs: the same to the last bit whatever the batches were.
    return float(np.add.accumulate(np.concatenate(([carried], terms)))[-1])


def _around(middle: float, half: float) -> Interval:
    return Interval(middle - half, middle + half)

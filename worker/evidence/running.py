"""What is known of a mean while its observations come in, valid however often it is looked at; pure.

A stream's state is a handful of sums, the same to the last bit however the observations were cut into batches.

*Bounded* streams have the empirical-Bernstein confidence sequence of S. R. Howard, A. Ramdas, J. McAuliffe and
J. Sekhon (Annals of Statistics 49, 2021), theorem 4, with its gamma-exponential mixture: for every number of rows, and
for observations that depend on each other too; it covers the average of what each observation was expected to be.
*Binary* ones have the beta-binomial mixture (H. Robbins, 1970; Howard et al., proposition 7), which holds for a
constant chance. *Unbounded* ones have the asymptotic confidence sequence of I. Waudby-Smith et al. (Annals of
Statistics 52, 2024): approximately valid, from `FEWEST_UNBOUNDED` rows on; below nothing is known.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from worker.errors import Rejected
from worker.evidence.binary import beta_binomial
from worker.evidence.boundary import asymptotic, sub_exponential, tuned
from worker.evidence.interval import EVERYTHING, Interval

__all__ = ["EVERYTHING", "FEWEST_UNBOUNDED", "PLANNED", "Interval", "Running", "difference"]

Floats = NDArray[np.float64]
#: Rows at which sequences are narrowest, where nothing else was planned; far from it they lose a tenth or so.
PLANNED = 500
#: Fewer unbounded values are no evidence: the central limit has not begun.
FEWEST_UNBOUNDED = 100
#: So much beyond its bounds, as a share of the range, a value is there by rounding alone.
_ROUNDING = 1e-9


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
    """

    bounds: tuple[float, float] | None
    binary: bool = False
    planned: int = PLANNED
    count: int = 0
    origin: float = 0.0
    total: float = 0.0
    variation: float = 0.0
    squares: float = 0.0

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
            return cls(None, planned=max(planned, 1))
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
        strayed = (away - totals[:-1] / np.maximum(before, 1)) ** 2 * (before / (before + 1))
        return replace(
            self,
            count=self.count + len(found),
            origin=origin,
            total=float(totals[-1]),
            variation=_continued(self.variation, missed),
            squares=_continued(self.squares, strayed),
        )

    @property
    def mean(self) -> float | None:
        """Of the values so far; None without any."""
        return self.origin + self.total / self.count if self.count else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation of the values so far; None without two."""
        return math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else None

    def interval(self, alpha: float) -> Interval:
        """Return where the mean lies: with chance 1 − alpha that holds at all looks together, both sides."""
        if self.mean is None:
            return EVERYTHING if self.bounds is None else Interval(*self.bounds)
        if self.bounds is None:
            return _around(self.mean, self._asymptotic(alpha))
        lower, upper = self.bounds
        if self.binary:
            hits = round((self.mean - lower) / (upper - lower) * self.count)
            share = beta_binomial(hits, self.count, alpha)
            return Interval(lower + share.lower * (upper - lower), lower + share.upper * (upper - lower))
        found = _around(self.mean, self.stray(alpha / 2) / self.count)
        return Interval(max(found.lower, lower), min(found.upper, upper))

    def stray(self, level: float) -> float:
        """Return what the sum of bounded values, less their means, exceeds on one side with chance `level` at most."""
        if self.bounds is None:
            raise ValueError("an unbounded sum has no such boundary")
        reach = self.bounds[1] - self.bounds[0]
        return reach * sub_exponential(self.variation / reach**2, level, tuned(self.planned))

    def encoded(self) -> dict[str, Any]:
        """Return the state as JSON can tell it."""
        return {**asdict(self), "bounds": None if self.bounds is None else list(self.bounds)}

    @classmethod
    def decoded(cls, told: Mapping[str, Any]) -> Self:
        """Return the state that `encoded` told."""
        bounds = told["bounds"]
        return cls(**{**told, "bounds": None if bounds is None else (float(bounds[0]), float(bounds[1]))})

    def _asymptotic(self, alpha: float) -> float:
        if self.count < FEWEST_UNBOUNDED:
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

    Bounded: each stream at half the level (union bound). If one is unbounded: the asymptotic sequence of the
    difference as a mean over all rows of both, for arms to which rows come in constant shares.
    """
    if challenger.mean is None or champion.mean is None:
        return EVERYTHING
    if challenger.bounds is None or champion.bounds is None:
        return _around(challenger.mean - champion.mean, _asymptotic_of_two(challenger, champion, alpha))
    ours, theirs = challenger.interval(alpha / 2), champion.interval(alpha / 2)
    return Interval(ours.lower - theirs.upper, ours.upper - theirs.lower)


def _asymptotic_of_two(first: Running, second: Running, alpha: float) -> float:
    if min(first.count, second.count) < FEWEST_UNBOUNDED:
        return math.inf
    rows = first.count + second.count
    variance = sum(arm.squares / (arm.count - 1) / arm.count for arm in (first, second)) * rows
    return asymptotic(variance, rows, alpha, first.planned + second.planned)


def _continued(carried: float, terms: Floats) -> float:
    # Summed in order, never in pairs: the same to the last bit whatever the batches were.
    return float(np.add.accumulate(np.concatenate(([carried], terms)))[-1])


def _around(middle: float, half: float) -> Interval:
    return Interval(middle - half, middle + half)

"""Less noise by what was known before: CUPED; pure.

A. Deng, Y. Xu, R. Kohavi and T. Walker, Improving the sensitivity of online controlled experiments by utilizing
pre-experiment data (WSDM 2013): from each outcome is taken θ times its covariate's distance from the mean, θ being
covariance / variance within the arms. The covariate must be from before the test (the same metric in the period before,
say): then it has the same mean in every arm, and the difference stays unbiased. A row whose covariate is missing is not
adjusted. The interval is the asymptotic sequence (I. Waudby-Smith et al., 2024) of the adjusted difference.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from worker.errors import Rejected
from worker.evidence.effect import Effect, around, plain
from worker.evidence.running import Running


@dataclass(frozen=True)
class Covaried:
    """The state of one arm's outcomes, each with what was known before.

    Attributes:
        outcome: of all rows.
        known: outcomes of the rows whose covariate is known.
        unknown: outcomes of the others.
        covariate: where it is known.
        together: the sum of the products of both distances from their means, where the covariate is known.
    """

    outcome: Running = field(default_factory=lambda: Running.of(None))
    known: Running = field(default_factory=lambda: Running.of(None))
    unknown: Running = field(default_factory=lambda: Running.of(None))
    covariate: Running = field(default_factory=lambda: Running.of(None))
    together: float = 0.0

    @classmethod
    def of(cls, *, planned: int) -> Self:
        """Begin an arm whose intervals are narrowest at so many rows."""
        return cls(outcome=Running.of(None, planned=planned))

    def add(self, outcomes: ArrayLike, covariates: ArrayLike) -> Self:
        """Return the state after further rows; a covariate that is NaN is missing.

        Raises:
            Rejected: as many outcomes as covariates are needed, and an outcome must be finite.
        """
        told = np.asarray(outcomes, dtype=np.float64).ravel()
        before = np.asarray(covariates, dtype=np.float64).ravel()
        if len(told) != len(before):
            raise Rejected(f"{len(told)} outcomes have {len(before)} covariates", field="covariates")
        is_known = ~np.isnan(before)
        there, values = before[is_known], told[is_known]
        known, covariate = self.known.add(values), self.covariate.add(there)
        counts = self.known.count + np.arange(len(values), dtype=np.float64)
        products = _strayed(self.known, known, values, counts) * _strayed(self.covariate, covariate, there, counts)
        terms = np.concatenate(([self.together], products * counts / (counts + 1)))
        return replace(
            self,
            outcome=self.outcome.add(told),
            known=known,
            unknown=self.unknown.add(told[~is_known]),
            covariate=covariate,
            together=float(np.add.accumulate(terms)[-1]),
        )

    def encoded(self) -> dict[str, Any]:
        """Return the state as JSON can tell it."""
        parts = ("outcome", "known", "unknown", "covariate")
        return {**asdict(self), **{part: getattr(self, part).encoded() for part in parts}}

    @classmethod
    def decoded(cls, told: Mapping[str, Any]) -> Self:
        """Return the state that `encoded` told."""
        parts = ("outcome", "known", "unknown", "covariate")
        return cls(**{part: Running.decoded(told[part]) for part in parts}, together=float(told["together"]))


def adjusted(challenger: Covaried, champion: Covaried, alpha: float) -> Effect:
    """Return the effect with the covariate taken out; where none is known, or none varies, without."""
    arms = (champion, challenger)
    varied = sum(arm.covariate.squares for arm in arms)
    if not varied or min(arm.outcome.count for arm in arms) < 2:
        return plain(challenger.outcome, champion.outcome, alpha)
    theta = sum(arm.together for arm in arms) / varied
    rows = sum(arm.covariate.count for arm in arms)
    middle = sum((arm.covariate.mean or 0.0) * arm.covariate.count for arm in arms) / rows
    found = [_adjusted(arm, theta, middle) for arm in arms]
    variance = sum(one / arm.outcome.count for (_, one), arm in zip(found, arms, strict=True))
    settled = all(arm.outcome.settled for arm in arms)
    means = (found[0][0], found[1][0])
    return around(means, variance, (champion.outcome, challenger.outcome), alpha, settled=settled)


def _adjusted(arm: Covaried, theta: float, middle: float) -> tuple[float, float]:
    """Return mean and variance of an arm's outcomes less θ times their covariates' distance from the middle."""
    known, unknown = arm.known, arm.unknown
    mean = (known.mean or 0.0) - theta * ((arm.covariate.mean or 0.0) - middle) if known.count else 0.0
    squares = known.squares - 2 * theta * arm.together + theta**2 * arm.covariate.squares + unknown.squares
    rows, apart = known.count + unknown.count, mean - (unknown.mean or 0.0)
    squares += known.count * unknown.count / rows * apart**2
    whole = (known.count * mean + unknown.count * (unknown.mean or 0.0)) / rows
    return whole, max(squares, 0.0) / (rows - 1)


def _strayed(before: Running, after: Running, values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return each value's distance from the mean of those before it; 0 for the very first."""
    if not len(values):
        return values
    away = values - after.origin
    totals = np.add.accumulate(np.concatenate(([before.total], away)))[:-1]
    strayed: np.ndarray = (away - totals / np.maximum(counts, 1)) * (counts > 0)
    return strayed

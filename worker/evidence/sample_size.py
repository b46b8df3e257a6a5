"""How many rows it takes to see an effect, before the first is there; pure.

*Fixed*: looked at once, by the normal test of two means, n = (z(1 − α/2) + z(power))² · variance / effect² (J. Cohen,
1988, chapter 2; unequal arms: the variance of the difference). *Sequential*: looked at any time, with the very
sequences of `running`: the fewest rows at which the interval, as wide as such rows make it, excludes zero even when
the difference that is seen falls short of the effect by z(power) standard errors. So a stop at an earlier look comes
on top, and the power is at least the planned one, as long as the normal approximation of a mean holds.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

from worker.errors import Rejected
from worker.evidence.boundary import VARIATION_PER_ROW
from worker.evidence.running import FEWEST_UNBOUNDED, Interval, Running, difference

_MOST = 10**12


@dataclass(frozen=True)
class Aim:
    """What shall be seen, and how surely.

    Attributes:
        effect: the minimum detectable one, a difference of means with its sign, in the metric's unit.
        deviations: the standard deviation of one row of the first arm, and of another with the effect.
        mean: of the first arm.
        bounds: between which every value lies; None: unbounded.
        binary: every value is one of the bounds.
        shares: of the rows, one per arm, the first the one that the others are compared with; a single one: paired
            differences, against zero.
        alpha: the chance of an effect where there is none, both sides, over all arms together (Bonferroni).
        power: the chance to see the effect in an arm that has it.
    """

    effect: float
    deviations: tuple[float, float]
    mean: float = 0.0
    bounds: tuple[float, float] | None = None
    binary: bool = False
    shares: tuple[float, ...] = (0.5, 0.5)
    alpha: float = 0.05
    power: float = 0.8

    def __post_init__(self) -> None:
        """Refuse what no number of rows can show: Rejected."""
        if not (math.isfinite(self.effect) and self.effect):
            raise Rejected(f"an effect of {self.effect} is none", field="effect", mend="tell the least that matters")
        if not (0 < self.alpha < 1 and 0 < self.power < 1):
            raise Rejected("the level and the power are chances between 0 and 1", field="alpha")
        if not self.shares or min(self.shares) <= 0:
            raise Rejected("each arm needs a share of the rows", field="shares", mend="leave arms without rows out")
        if not all(math.isfinite(one) and one >= 0 for one in self.deviations):
            raise Rejected("a standard deviation is a number of 0 or more", field="deviation")

    @classmethod
    def of_mean(
        cls,
        effect: float,
        deviation: float,
        *,
        bounds: tuple[float, float] | None = None,
        shares: tuple[float, ...] = (0.5, 0.5),
        alpha: float = 0.05,
        power: float = 0.8,
    ) -> Self:
        """Return the aim for a mean with a known deviation, the same in every arm."""
        mean = 0.0 if bounds is None else min(max(0.0, bounds[0]), bounds[1])
        return cls(effect, (deviation, deviation), mean, bounds, shares=shares, alpha=alpha, power=power)

    @classmethod
    def of_share(
        cls,
        rate: float,
        effect: float,
        *,
        shares: tuple[float, ...] = (0.5, 0.5),
        alpha: float = 0.05,
        power: float = 0.8,
    ) -> Self:
        """Return the aim for the share of rows that are hits, `rate` in the first arm and `rate + effect` in others.

        Raises:
            Rejected: one of the two is no share, or there is nothing to detect.
        """
        if not (0 <= rate <= 1 and 0 <= rate + effect <= 1):
            raise Rejected(
                f"shares of {rate} and {rate + effect} are not between 0 and 1",
                field="effect",
                mend="tell the effect as a difference of shares: 0.02, not 2",
            )
        deviations = _of_share(rate), _of_share(rate + effect)
        return cls(effect, deviations, rate, (0.0, 1.0), binary=True, shares=shares, alpha=alpha, power=power)

    @property
    def level(self) -> float:
        """Of each comparison, both sides."""
        return self.alpha / max(len(self.shares) - 1, 1)


@dataclass(frozen=True)
class Rows:
    """How many it takes.

    Attributes:
        arms: of each arm, in the order of the shares.
        planned: of each arm, what its `Running` is begun with.
    """

    arms: tuple[int, ...]
    planned: tuple[int, ...]

    @property
    def total(self) -> int:
        """Of all arms together."""
        return sum(self.arms)


def fixed_rows(aim: Aim) -> Rows:
    """Return the rows for a test that is looked at once, at its end."""
    z = NormalDist().inv_cdf(1 - aim.level / 2) + NormalDist().inv_cdf(aim.power)
    total = max(z * z * variance / aim.effect**2 for variance in _variances(aim))
    _check(total)
    arms = _divided(aim, total)
    return Rows(arms, arms)


def sequential_rows(aim: Aim) -> Rows:
    """Return the rows within which an always valid interval excludes zero with the planned power.

    Raises:
        Rejected: the effect is so small that it takes more than 10**12 rows.
    """
    fixed = fixed_rows(aim).arms
    planned = tuple(_planned(aim, rows) for rows in fixed)
    compared = range(1, len(planned)) if len(planned) > 1 else range(1)

    def enough(total: int) -> bool:
        return all(_seen(aim, _divided(aim, total), planned, arm) for arm in compared)

    total = _fewest(enough, sum(fixed))
    return Rows(_divided(aim, total), planned)


def _seen(aim: Aim, rows: tuple[int, ...], planned: tuple[int, ...], arm: int) -> bool:
    """Tell whether the interval of one arm excludes zero though the difference seen is smaller than the effect."""
    other = _expected(aim, rows[arm], planned[arm], with_effect=True)
    if len(rows) == 1:
        found, error = other.interval(aim.level), aim.deviations[1] / math.sqrt(rows[0])
    else:
        found = difference(other, _expected(aim, rows[0], planned[0], with_effect=False), aim.level)
        error = math.hypot(aim.deviations[0] / math.sqrt(rows[0]), aim.deviations[1] / math.sqrt(rows[arm]))
    towards = found if aim.effect > 0 else Interval(-found.upper, -found.lower)
    return towards.lower > NormalDist().inv_cdf(aim.power) * error


def _planned(aim: Aim, rows: int) -> int:
    """Return for what a stream is tuned that will be looked at until about twice the rows of a fixed test."""
    if aim.bounds is None or aim.binary:
        return 2 * rows
    # Bounded ones are tuned by how much rows vary, told as that many rows of usual variation.
    reach = aim.bounds[1] - aim.bounds[0]
    return max(1, round(2 * rows * max(aim.deviations) ** 2 / reach**2 / VARIATION_PER_ROW))


def _expected(aim: Aim, rows: int, planned: int, *, with_effect: bool) -> Running:
    """Return the state after so many rows that are what the aim expects of them."""
    begun = Running.of(aim.bounds, binary=aim.binary, planned=planned)
    mean, squares = aim.mean + aim.effect * with_effect, aim.deviations[with_effect] ** 2 * rows
    total = (mean - begun.origin) * rows
    return Running(aim.bounds, aim.binary, begun.planned, rows, begun.origin, total, squares, squares)


def _variances(aim: Aim) -> list[float]:
    """Return the variance of each comparison's difference times the total of the rows."""
    first, second = (deviation**2 for deviation in aim.deviations)
    weights = [share / sum(aim.shares) for share in aim.shares]
    return [first / weights[0] + second / weight for weight in weights[1:]] or [second]


def _divided(aim: Aim, total: float) -> tuple[int, ...]:
    return tuple(max(2, math.ceil(total * share / sum(aim.shares) - 1e-9)) for share in aim.shares)


def _fewest(enough: Callable[[int], bool], start: int) -> int:
    """Return the fewest rows that are enough, at least `start`: doubled, then halved between."""
    most = max(start, 2 * FEWEST_UNBOUNDED)
    while not enough(most):
        most *= 2
        _check(most)
    least = start - 1
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if enough(middle) else (middle, most)
    return most


def _check(rows: float) -> None:
    if rows > _MOST:
        raise Rejected(f"it takes more than {_MOST:,} rows", field="effect", mend="aim at a larger effect")


def _of_share(rate: float) -> float:
    return math.sqrt(rate * (1 - rate))

"""How much better one arm is than another, and how sure that is; pure."""

import math
from dataclasses import dataclass

from worker.evidence.boundary import asymptotic
from worker.evidence.running import EVERYTHING, Interval, Running, difference


@dataclass(frozen=True)
class Effect:
    """The difference of two arms.

    Attributes:
        champion: its mean; None without rows. Adjusted: at the covariate, or over the strata, of both arms together.
        challenger: its mean, alike.
        difference: challenger minus champion; None without rows of both.
        interval: of the difference, valid at all looks together.
        rows: of the champion and of the challenger.
        spared: the share of the variance that the adjustment took away; 0 without one, below 0 where it did harm.
    """

    champion: float | None
    challenger: float | None
    difference: float | None
    interval: Interval
    rows: tuple[int, int]
    spared: float = 0.0


def plain(challenger: Running, champion: Running, alpha: float) -> Effect:
    """Return the effect without any adjustment."""
    means, rows = (champion.mean, challenger.mean), (champion.count, challenger.count)
    if champion.mean is None or challenger.mean is None:
        return Effect(*means, None, EVERYTHING, rows)
    return Effect(*means, challenger.mean - champion.mean, difference(challenger, champion, alpha), rows)


def around(
    means: tuple[float, float], variance: float, arms: tuple[Running, Running], alpha: float, *, settled: bool
) -> Effect:
    """Return an effect whose estimator is asymptotically normal.

    Args:
        means: of the champion and the challenger, adjusted.
        variance: of their difference, as estimated.
        arms: the outcomes of the champion and the challenger as they are.
        alpha: of the interval, both sides.
        settled: the central limit has begun; else nothing is known.
    """
    champion, challenger = arms
    rows, seen = champion.count + challenger.count, means[1] - means[0]
    half = asymptotic(variance * rows, rows, alpha, champion.planned + challenger.planned) if settled else math.inf
    unadjusted = sum(arm.squares / (arm.count - 1) / arm.count for arm in arms)
    spared = 1 - variance / unadjusted if unadjusted else 0.0
    return Effect(*means, seen, Interval(seen - half, seen + half), (champion.count, challenger.count), spared)

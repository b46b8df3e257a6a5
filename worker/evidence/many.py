"""Many comparisons at once, slices say: each with a p-value for all looks, corrected for how many there are; pure.

An always valid p-value is the smallest level whose interval excludes zero (R. Johari, P. Koomen, L. Pekelis and
D. Walsh, Always valid inference, Operations Research 70, 2022). What `holm` leaves over is proven whatever the
comparisons have to do with each other; what `benjamini-hochberg` does is exploratory.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.evidence.effect import Effect, plain
from worker.evidence.running import Interval, Running
from worker.monitor.correction import Correction, corrected

_LEAST, _STEPS = 1e-9, 20


@dataclass(frozen=True)
class Comparison:
    """One of many.

    Attributes:
        effect: its interval holds together with those of all others (Bonferroni).
        p_value: of this comparison alone, at all looks; None without rows of both.
        adjusted: for how many comparisons there are; None alike.
        found: whether there is an effect at the level.
    """

    effect: Effect
    p_value: float | None
    adjusted: float | None
    found: bool


def compared(
    slices: Mapping[str, tuple[Running, Running]], alpha: float, method: Correction = "holm"
) -> dict[str, Comparison]:
    """Compare each slice's challenger and champion.

    Args:
        slices: name -> outcomes of the challenger, outcomes of the champion.
        alpha: of all comparisons together.
        method: of the correction.
    """
    untested = [name for name, arms in slices.items() if not all(arm.count for arm in arms)]
    level = alpha / max(len(slices) - len(untested), 1)
    p_values = [math.nan if name in untested else _p_value(*slices[name]) for name in slices]
    adjusted = corrected(p_values, method)
    return {
        name: Comparison(plain(*arms, level), _known(p_value), _known(one), found=one <= alpha)
        for (name, arms), p_value, one in zip(slices.items(), p_values, adjusted, strict=True)
    }


def always_valid_p(interval: Callable[[float], Interval]) -> float:
    """Return the smallest level, 1e-9 at least, whose interval excludes zero; 1 where none does.

    Args:
        interval: level -> interval, wider for a smaller level.
    """

    def excludes(level: float) -> bool:
        found = interval(level)
        return found.lower > 0 or found.upper < 0

    if excludes(_LEAST):
        return _LEAST
    refuted, open_ = 1 - _LEAST, _LEAST
    if not excludes(refuted):
        return 1.0
    for _ in range(_STEPS):
        middle = math.sqrt(refuted * open_)
        refuted, open_ = (middle, open_) if excludes(middle) else (refuted, middle)
    return refuted


def _p_value(challenger: Running, champion: Running) -> float:
    return always_valid_p(lambda level: plain(challenger, champion, level).interval)


def _known(p_value: float) -> float | None:
    return None if math.isnan(p_value) else p_value

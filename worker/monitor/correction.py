"""p-values corrected for how many tests were made; pure.

`benjamini-hochberg` bounds the share of false findings (Y. Benjamini and Y. Hochberg, 1995, for tests that are
independent or depend positively), `holm` the chance of any (S. Holm, 1979, whatever the dependence).
"""

import math
from collections.abc import Sequence
from typing import Literal

Correction = Literal["benjamini-hochberg", "holm"]


def corrected(p_values: Sequence[float], method: Correction) -> list[float]:
    """Return adjusted p-values in the same order; NaN (not tested) stays NaN and counts as no test."""
    tested = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    result = [math.nan] * len(p_values)
    adjusted = _holm([p for p, _ in tested]) if method == "holm" else _benjamini_hochberg([p for p, _ in tested])
    for (_, place), p in zip(tested, adjusted, strict=True):
        result[place] = p
    return result


def _holm(ascending: Sequence[float]) -> list[float]:
    found, highest = [], 0.0
    for rank, p in enumerate(ascending):
        highest = max(highest, min(1.0, p * (len(ascending) - rank)))
        found.append(highest)
    return found


def _benjamini_hochberg(ascending: Sequence[float]) -> list[float]:
    found, lowest = [0.0] * len(ascending), 1.0
    for rank in range(len(ascending), 0, -1):
        lowest = min(lowest, ascending[rank - 1] * len(ascending) / rank)
        found[rank - 1] = lowest
    return found

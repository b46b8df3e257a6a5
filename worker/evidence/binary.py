"""Where a chance lies while its hits are counted, valid at every count; pure.

The beta-binomial mixture martingale (H. Robbins, 1970; S. R. Howard et al., Annals of Statistics 49, 2021, proposition
7): the likelihood of the hits under chances drawn from Jeffreys' prior, over that under the chance in question.
"""

import math
from collections.abc import Callable

from worker.evidence.interval import Interval

_PRIOR = 0.5
_STEPS = 100


def beta_binomial(hits: int, count: int, alpha: float) -> Interval:
    """Return the chances that are not refuted, both sides together at `alpha`."""
    from scipy.special import betaln  # type: ignore[import-untyped]

    misses = count - hits
    mixed = float(betaln(_PRIOR + hits, _PRIOR + misses) - betaln(_PRIOR, _PRIOR)) + math.log(alpha)

    def refuted(chance: float) -> bool:
        return mixed >= _log_likelihood(chance, hits, misses)

    best = hits / count if count else 0.5
    return Interval(_edge(refuted, best, 0.0), _edge(refuted, best, 1.0))


def _edge(refuted: Callable[[float], bool], inside: float, outside: float) -> float:
    """Return the refuted chance next to those that are not, halving between one inside and the end."""
    if not refuted(outside):
        return outside
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        if middle in (inside, outside):
            break
        inside, outside = (inside, middle) if refuted(middle) else (middle, outside)
    return outside


def _log_likelihood(chance: float, hits: int, misses: int) -> float:
    seen = hits * math.log(chance) if hits and chance else (-math.inf if hits else 0.0)
    unseen = misses * math.log1p(-chance) if misses and chance < 1 else (-math.inf if misses else 0.0)
    return seen + unseen

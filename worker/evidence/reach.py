"""How far means may be from what was seen before the evidence against them is enough; pure.

Evidence that two e-processes gather against two means is multiplied: the pair of true means keeps the product below 1/α
at all times with chance 1 − α, so that the widest difference among the pairs that are left bounds the true one. That is
narrower than each stream at half the level, as a hypotenuse is shorter than two legs.
"""

from collections.abc import Callable
from dataclasses import dataclass

_CLOSE = 1e-9
#: Of a maximum only the place is this rough: its height is off by the square, which is added.
_ROUGH = 1e-3
_BEYOND = 100.0


@dataclass(frozen=True)
class Side:
    """One side of a stream's mean.

    Attributes:
        evidence: distance from the mean that was seen → logarithm of the evidence against a mean there; rising.
        most: no mean is farther away.
        reach: logarithm of evidence → the distance at which there is so much.
    """

    evidence: Callable[[float], float]
    most: float
    reach: Callable[[float], float]


def root(evidence: Callable[[float], float], most: float, wanted: float) -> float:
    """Return the distance, `most` at most, at which the evidence is what is wanted."""
    from scipy.optimize import brentq  # type: ignore[import-untyped]

    def missing(distance: float) -> float:
        return min(evidence(distance) - wanted, _BEYOND)

    if missing(most) <= 0:
        return most
    if missing(0.0) >= 0:
        return 0.0
    return float(brentq(missing, 0.0, most, xtol=_CLOSE * most, rtol=_CLOSE))


def widest(first: Side, second: Side, wanted: float) -> float:
    """Return the largest sum of two distances against which there is less evidence together than is wanted."""
    from scipy.optimize import minimize_scalar

    def of_second(distance: float) -> float:
        return min(second.reach(wanted - first.evidence(distance)), second.most)

    most = min(first.reach(wanted - second.evidence(0.0)), first.most)
    found = minimize_scalar(
        lambda distance: -distance - of_second(distance),
        bounds=(0.0, most),
        method="bounded",
        options={"xatol": _ROUGH * most},
    )
    return max(-float(found.fun), of_second(0.0), most + of_second(most)) * (1 + _ROUGH**2)

"""Whether exposures came to the arms of a test in the planned shares, checked at any time; pure.

The mixture e-process of M. Lindon and A. Malek, Anytime-valid inference for multinomial count data (NeurIPS 2022): the
chance of the counts under shares drawn from a Dirichlet distribution around the planned ones, over that under the
planned ones. Its width is not known beforehand, so that three are averaged, which is an e-process as well.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from worker.errors import Rejected

#: How closely the shares of a broken split lie around the planned ones: far off, some, hardly.
_CONCENTRATIONS = (1e2, 3e3, 1e5)
#: A split is called broken by so small a level: a broken one costs a test, and sound ones are many.
LEVEL = 0.001


@dataclass(frozen=True)
class Ratio:
    """What the exposures say of the split.

    Attributes:
        counts: the entities exposed, of each arm.
        shares: as planned, of each arm, summing to 1.
        log_e: the logarithm of the evidence against the planned shares; never above log(1/α) but with chance α.
        p_value: always valid: at or below α at any look with chance α at most.
    """

    counts: tuple[int, ...]
    shares: tuple[float, ...]
    log_e: float
    p_value: float

    def broken(self, level: float = LEVEL) -> bool:
        """Tell whether the split is not the planned one."""
        return self.p_value <= level


def sample_ratio(counts: Sequence[int], shares: Sequence[float]) -> Ratio:
    """Compare how many came to each arm with the planned shares.

    Args:
        counts: of *entities*, each counted once, at its first exposure: several rows of one entity go to the same arm
            and are no further evidence of the split.
        shares: of the arms in the same order, in any unit (percent); of an arm with a share of 0 a single exposure is
            proof.

    Raises:
        Rejected: the two do not fit each other, or are negative.
    """
    if len(counts) != len(shares) or not counts or min(counts) < 0:
        raise Rejected("each arm has a count and a share", field="counts", mend="tell both for the same arms")
    if min(shares) < 0 or not 0 < sum(shares) < math.inf:
        raise Rejected("the shares of arms are of 0 or more, and not all 0", field="shares")
    planned = tuple(share / sum(shares) for share in shares)
    log_e = _log_mixture([(count, share) for count, share in zip(counts, planned, strict=True)])
    return Ratio(tuple(counts), planned, log_e, min(1.0, math.exp(-log_e)) if log_e > 0 else 1.0)


def _log_mixture(arms: list[tuple[int, float]]) -> float:
    if any(count for count, share in arms if not share):
        return math.inf
    open_arms = [(count, share) for count, share in arms if share]
    found = [_log_bayes_factor(open_arms, concentration) for concentration in _CONCENTRATIONS]
    highest = max(found)
    return highest + math.log(sum(math.exp(one - highest) for one in found) / len(found))


def _log_bayes_factor(arms: list[tuple[int, float]], concentration: float) -> float:
    total = sum(count for count, _ in arms)
    found = math.lgamma(concentration) - math.lgamma(concentration + total)
    for count, share in arms:
        prior = concentration * share
        found += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share)
    return found

"""Where a chance lies while its hits are counted, valid at every count; pure.

The two-sided beta-binomial mixture martingale (H. Robbins, 1970; S. R. Howard et al., Annals of Statistics 49, 2021,
proposition 7): the likelihood of the hits under chances drawn from a beta distribution around the chance in question,
over that under the chance itself.
"""

import math


def log_evidence(chance: float, hits: int, misses: int, concentration: float) -> float:
    """Return the logarithm of the evidence against a chance: above log(1/α) at any count with chance α at most.

    Args:
        chance: in question.
        hits: so far.
        misses: so far.
        concentration: of the drawn chances around it, chosen before the first count.
    """
    if not 0 < chance < 1:
        return math.inf if (misses if chance else hits) else 0.0
    prior_hits, prior_misses = concentration * chance, concentration * (1 - chance)
    mixed = math.lgamma(concentration) - math.lgamma(concentration + hits + misses)
    # Without a hit both terms are one, and the prior's is infinite where the chance is next to 0.
    mixed += math.lgamma(prior_hits + hits) - math.lgamma(prior_hits) if hits else 0.0
    mixed += math.lgamma(prior_misses + misses) - math.lgamma(prior_misses) if misses else 0.0
    return mixed - hits * math.log(chance) - misses * math.log1p(-chance)

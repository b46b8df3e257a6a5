"""How far a sum strays from what was expected of it, at any time, with a given chance; pure.

Sources: `sub_exponential` is the gamma-exponential mixture of S. R. Howard, A. Ramdas, J. McAuliffe and J. Sekhon,
Time-uniform, nonparametric, nonasymptotic confidence sequences (Annals of Statistics 49, 2021), proposition 9;
`asymptotic` is theorem 2.2 of I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy and A. Ramdas, Time-uniform central
limit theory and asymptotic confidence sequences (Annals of Statistics 52, 2024).
"""

import math

#: The boundary is narrowest where the variation is so much for each planned row, in units of the range squared.
VARIATION_PER_ROW = 0.02
#: The level that a boundary's shape is tuned for; it is valid for every level.
_USUAL = 0.05
_CLOSE, _MOST_STEPS = 1e-9, 60


def sub_exponential(variation: float, wanted: float, rho: float) -> float:
    """Return how far a sum of values of a range of 1 is from its mean when there is so much evidence against that.

    At any time it is farther on that side with chance exp(−wanted) at most.

    Args:
        variation: the sum of the squared distances of the values from what was predicted before each, so far.
        wanted: the logarithm of the evidence.
        rho: the tuning that `tuned` returns, chosen before the first value.
    """
    # The logarithm of a mixture is convex and rises: Newton's steps come down on its root from above.
    if wanted <= 0 and wanted <= log_mixture(0.0, variation, rho)[0]:
        return 0.0
    at = math.sqrt(2 * variation * max(wanted, 0.0)) + max(wanted, 0.0) + 1
    for _ in range(_MOST_STEPS):
        value, slope = log_mixture(at, variation, rho)
        step = (value - wanted) / slope
        at -= step
        if abs(step) <= _CLOSE * (1 + at):
            break
    return at


def log_mixture(total: float, variation: float, rho: float) -> tuple[float, float]:
    """Return the logarithm of the mixture of supermartingales at a sum, and its slope there."""
    from scipy.special import gammainc, gammaln  # type: ignore[import-untyped]

    shape = variation + rho
    rate = total + shape
    below = float(gammainc(shape, rate))
    log_gamma = float(gammaln(shape))
    value = rho * math.log(rho) - float(gammaln(rho)) - math.log(float(gammainc(rho, rho)))
    value += log_gamma + math.log(below) - shape * math.log(rate) + total + variation
    density = math.exp((shape - 1) * math.log(rate) - rate - log_gamma)
    return value, 1 - shape / rate + density / below


def tuned(planned: int) -> float:
    """Return the tuning with which `sub_exponential` is narrowest at about so many rows of usual variation."""
    return planned * VARIATION_PER_ROW / _shape(_USUAL)


def concentration(planned: int) -> float:
    """Return the tuning with which the interval of a chance is narrowest at about so many rows."""
    return max(planned / _shape(_USUAL), 1.0)


def asymptotic(variance: float, count: int, level: float, planned: int) -> float:
    """Return half the width of a mean's interval, both sides together at `level`, for any number of rows.

    Args:
        variance: of one row, as estimated so far.
        count: of the rows.
        level: of both sides.
        planned: rows at which it is narrowest, chosen before the first.
    """
    rho2 = _shape(level) / planned
    scale = count * rho2 + 1
    return math.sqrt(variance * 2 * scale / (count * count * rho2) * math.log(math.sqrt(scale) / level))


def _shape(level: float) -> float:
    wanted = -2 * math.log(level)
    return wanted + math.log(wanted + 1)

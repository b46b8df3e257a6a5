"""Less noise by comparing like with like: post-stratification; pure.

L. W. Miratrix, J. S. Sekhon and B. Yu, Adjusting treatment effect estimates by post-stratification in randomized
experiments (JRSS B 75, 2013): the difference within each stratum, weighed by the stratum's share of all rows. Strata
must be known before the test. Those with hardly any rows in an arm are put together. The interval is the asymptotic
sequence (I. Waudby-Smith et al., 2024) of that difference, its variance that of drawn rows: strata included.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from worker.evidence.effect import Effect, around, plain
from worker.evidence.running import Running

#: A stratum needs so many rows in each arm for a variance of its own.
FEWEST_PER_STRATUM = 10

_Stratum = tuple[Running, Running]


def stratified(challenger: Mapping[str, Running], champion: Mapping[str, Running], alpha: float) -> Effect:
    """Return the effect over the strata.

    Args:
        challenger: stratum -> outcomes.
        champion: stratum -> outcomes.
        alpha: of the interval, both sides.
    """
    empty = Running.of(None)
    strata = [(champion.get(name, empty), challenger.get(name, empty)) for name in sorted({*champion, *challenger})]
    arms = (_pooled([first for first, _ in strata]), _pooled([second for _, second in strata]))
    kept = _merged(strata)
    if len(kept) < 2:
        return plain(_unbounded(arms[1]), _unbounded(arms[0]), alpha)
    rows = arms[0].count + arms[1].count
    weights = [(first.count + second.count) / rows for first, second in kept]
    means = (_weighed(weights, [first for first, _ in kept]), _weighed(weights, [second for _, second in kept]))
    within = sum(weight**2 * _variance(stratum) for weight, stratum in zip(weights, kept, strict=True))
    # Rows that were drawn might have come from the strata in other shares.
    between = sum(
        weight * ((second.mean or 0.0) - (first.mean or 0.0) - means[1] + means[0]) ** 2
        for weight, (first, second) in zip(weights, kept, strict=True)
    )
    settled = all(arm.settled for arm in arms)
    return around(means, within + between / rows, arms, alpha, settled=settled)


def _merged(strata: list[_Stratum]) -> list[_Stratum]:
    """Return strata with enough rows in both arms: the smallest are put together until that is so."""
    left = sorted(strata, key=_fewer)
    while len(left) > 1 and _fewer(left[0]) < FEWEST_PER_STRATUM:
        (one, two), *others = left[1:]
        first, second = left[0]
        left = sorted([(_pooled([first, one]), _pooled([second, two])), *others], key=_fewer)
    return left


def _fewer(stratum: _Stratum) -> int:
    return min(arm.count for arm in stratum)


def _pooled(parts: list[Running]) -> Running:
    """Return the moments of several streams as one; its intervals are those of an unbounded stream."""
    filled = [part for part in parts if part.count]
    found = replace(Running.of(None), planned=max([part.planned for part in parts], default=1))
    for part in filled:
        found = _joined(found, part) if found.count else _unbounded(part)
    return found


def _joined(first: Running, second: Running) -> Running:
    rows = first.count + second.count
    apart = (second.mean or 0.0) - (first.mean or 0.0)
    shared = first.count * second.count / rows
    cubes = apart**3 * shared * (first.count - second.count) / rows
    cubes += 3 * apart * (first.count * second.squares - second.count * first.squares) / rows
    return replace(
        first,
        count=rows,
        total=first.total + second.total + second.count * (second.origin - first.origin),
        squares=first.squares + second.squares + apart**2 * shared,
        cubes=first.cubes + second.cubes + cubes,
        planned=max(first.planned, second.planned),
    )


def _unbounded(stream: Running) -> Running:
    return replace(stream, bounds=None, binary=False)


def _variance(stratum: _Stratum) -> float:
    return sum(arm.squares / (arm.count - 1) / arm.count for arm in stratum)


def _weighed(weights: list[float], arms: list[Running]) -> float:
    return math.fsum(weight * (arm.mean or 0.0) for weight, arm in zip(weights, arms, strict=True))

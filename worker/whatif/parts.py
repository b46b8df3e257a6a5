"""What several processes found of one recording, laid together: as if one had taken it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.decide.policy import Budget, Policy
from worker.whatif.comparison import MAX_KEPT, Differences
from worker.whatif.drawing import Drawing
from worker.whatif.sums import Sums


class Crossed(Exception):
    """One event id is of bees of two shares, so that neither could tell which of the events came first."""


@dataclass(frozen=True)
class Part:
    """What one share found, to be laid together with the others'.

    Attributes:
        messages: how many there were for all shares.
        ids: a number for each distinct event of this share, in order.
    """

    messages: int
    ids: Sequence[int]
    sums: Sequence[Sums]
    drawings: Sequence[Drawing | None]
    differences: Differences | None
    begin: datetime | None
    end: datetime | None
    found: dict[str, str]


def apart(policy: Policy) -> bool:
    """Tell whether under a policy what becomes of a bee never depends on another."""
    colony = policy.colony
    return colony.runs is None and colony.breaker.failures is None and _unlimited(colony.budget)


def _unlimited(budget: Budget) -> bool:
    return budget.runs_per_day is None and budget.cost_per_month is None


def together(parts: Sequence[Part]) -> Part:
    """Return one part for all shares; every bee is in one of them only. Raises Crossed."""
    if any(_meet(one.ids, other.ids) for one, other in itertools.combinations(parts, 2)):
        raise Crossed
    first = parts[0]
    for other in parts[1:]:
        for sums, more in zip(first.sums, other.sums, strict=True):
            sums.bees.update(more.bees)
            sums.dead_letters += more.dead_letters
            sums.in_flight += more.in_flight
        for drawing, drawn in zip(first.drawings, other.drawings, strict=True):
            if drawing is not None and drawn is not None:
                drawing.bees.update(drawn.bees)
        if first.differences is not None and other.differences is not None:
            _joined(first.differences, other.differences)
    begins = [part.begin for part in parts if part.begin is not None]
    ends = [part.end for part in parts if part.end is not None]
    found = {bee: metric for part in parts for bee, metric in part.found.items()}
    begin, end = min(begins, default=None), max(ends, default=None)
    return Part(first.messages, first.ids, first.sums, first.drawings, first.differences, begin, end, found)


def _joined(differences: Differences, more: Differences) -> None:
    differences.counts.update(more.counts)
    kept = sorted([*differences.kept, *more.kept], key=lambda one: one.place)
    differences.kept = kept[:MAX_KEPT]


def _meet(one: Sequence[int], other: Sequence[int]) -> bool:
    """Tell whether two sorted arrays have a number in common."""
    numbers, against = iter(one), iter(other)
    left, right = next(numbers, None), next(against, None)
    while left is not None and right is not None and left != right:
        if left < right:
            left = next(numbers, None)
        else:
            right = next(against, None)
    return left is not None and left == right

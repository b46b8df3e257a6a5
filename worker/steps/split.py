"""The out-of-time split: the older rows teach, the newest ones judge; pure."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from itertools import pairwise

from worker.steps.tables import Rows


def split_by_time(rows: Rows, share: float, *, seen_until: datetime | None) -> tuple[Rows, Rows]:
    """Return the training part and the hold-out.

    Args:
        rows: in any order.
        share: of the rows, by time, that the hold-out gets; the cut lies between two distinct times.
        seen_until: rows of the hold-out at or before it are dropped, since the champion may have learned from them.
    """
    order = sorted(range(len(rows)), key=lambda index: (rows.times[index], rows.entity_ids[index]))
    ordered = rows.take(order)
    cut = cut_between(ordered.times, len(order) - round(len(order) * share))
    unseen = [index for index in range(cut, len(order)) if seen_until is None or ordered.times[index] > seen_until]
    return ordered.take(range(cut)), ordered.take(unseen)


def split_by_hash(rows: Rows, share: float) -> tuple[Rows, Rows]:
    """Return the part that settings are chosen on and the hold-out, for rows without times of their own.

    A row's place follows from its id alone, so that one which judged once is seldom taken to choose on later.
    """
    order = sorted(range(len(rows)), key=lambda index: sha256(rows.entity_ids[index].encode()).digest())
    judging = min(len(order), max(1, round(len(order) * share)))
    return rows.take(sorted(order[judging:])), rows.take(sorted(order[:judging]))


def cut_between(times: Sequence[datetime], wanted: int) -> int:
    """Return the index nearest to `wanted` at which the sorted times change; 0 if they never do."""
    cuts = [index for index, (before, after) in enumerate(pairwise(times), start=1) if before != after]
    return min(cuts, key=lambda index: (abs(index - wanted), index), default=0)

"""Which logged prediction belongs to which labelled row; pure.

The one in force at the label's time: the newest served by then, since the label that the entity had before, and not
longer ago than `BEFORE`. A label that carries the time of its own row is a little older than the prediction of it: one
served within `AFTER` belongs to it if it is nearer. What was served later than that may have been told the answer.
"""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from worker.features.columns import Ints
from worker.features.spine import Spine

BEFORE = timedelta(days=30)
AFTER = timedelta(minutes=5)
_MICROSECOND = timedelta(microseconds=1)
_BEFORE_US, _AFTER_US = BEFORE // _MICROSECOND, AFTER // _MICROSECOND
_NEVER = np.iinfo(np.int64).max // 4


def matched(rows: Spine, ids: Sequence[str], times_us: Ints) -> NDArray[np.intp]:
    """Return for each row the place of its prediction, -1 where it has none.

    Args:
        rows: labelled entities and the times of their labels.
        ids: whom each prediction, of at least one, was about.
        times_us: when it was served.
    """
    codes: dict[str, int] = {}
    row_codes = _codes(rows.ids.to_pylist(), codes)
    own = _codes(ids, codes)
    moments, ranks = np.unique(np.concatenate((rows.times_us, times_us)), return_inverse=True)
    # Entity and time as one number, so that one sorted search finds both.
    row_keys = row_codes * len(moments) + ranks[: len(row_codes)]
    keys = own * len(moments) + ranks[len(row_codes) :]
    order = np.argsort(keys, kind="stable")
    place = np.searchsorted(keys[order], row_keys, side="right")
    gaps = _Gaps(row_codes, rows.times_us, own[order], times_us[order])
    before, after = gaps.to(place - 1, row_keys, sign=-1), gaps.to(place, row_keys, sign=1)
    found = np.where(before <= after, place - 1, place)
    found[np.minimum(before, after) == _NEVER] = -1
    return np.where(found < 0, -1, order[np.maximum(found, 0)])


def _codes(ids: Sequence[str], codes: dict[str, int]) -> Ints:
    return np.fromiter((codes.setdefault(one, len(codes)) for one in ids), np.int64, len(ids))


class _Gaps:
    """How far predictions are from rows."""

    def __init__(self, row_codes: Ints, row_times: Ints, codes: Ints, times: Ints) -> None:
        self._rows = row_codes, row_times
        self._codes = codes
        self._times = times

    def to(self, place: NDArray[np.intp], row_keys: Ints, *, sign: int) -> Ints:
        """Return the gap to the prediction at each place, never where it is another's or beyond a bound."""
        row_codes, row_times = self._rows
        inside = (place >= 0) & (place < len(self._codes))
        held = np.clip(place, 0, len(self._codes) - 1)
        gap = sign * (self._times[held] - row_times)
        bound = np.minimum(self._to_neighbour(row_keys, sign=sign), _BEFORE_US + 1 if sign < 0 else _AFTER_US + 1)
        fits = inside & (self._codes[held] == row_codes) & (gap < bound)
        return np.where(fits, gap, _NEVER)

    def _to_neighbour(self, row_keys: Ints, *, sign: int) -> Ints:
        """Return how far the entity's label before (or after) is, by time."""
        row_codes, row_times = self._rows
        order = np.argsort(row_keys, kind="stable")
        codes, times = row_codes[order], row_times[order]
        gap = np.full(len(order), _NEVER, dtype=np.int64)
        same = codes[1:] == codes[:-1]
        steps = np.where(same, times[1:] - times[:-1], _NEVER)
        if sign < 0:
            gap[1:] = steps
        else:
            gap[:-1] = steps
        found = np.empty_like(gap)
        found[order] = gap
        return found

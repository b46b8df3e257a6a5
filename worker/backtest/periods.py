"""The periods of a replay: whole multiples of their length since 1970, as a bee's monitor counts them; pure."""

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from worker.clock import EPOCH, to_us
from worker.errors import Rejected
from worker.monitor.period import Period

#: More are no history but a mistake, and each is a judgement and maybe a training.
MOST = 5_000


def next_boundary(moment: datetime, every: timedelta) -> datetime:
    """Return the first whole multiple of `every` since 1970 that is not before a moment."""
    return EPOCH - ((EPOCH - moment) // every) * every


def periods(begin: datetime, until: datetime, every: timedelta) -> list[Period]:
    """Return the periods from a boundary on; the last one may be cut short by `until`.

    Raises:
        Rejected: there is none, or there are too many.
    """
    if begin >= until:
        mend = "give an earlier --from, or a bee with a shorter window"
        raise Rejected("nothing is left of the history once a first model can be trained", field="--from", mend=mend)
    count = -((begin - until) // every)
    if count > MOST:
        raise Rejected(f"makes {count:,} periods, more than {MOST:,}", field="--every", mend="choose a longer one")
    return [Period(begin + place * every, min(begin + (place + 1) * every, until)) for place in range(count)]


def ends(found: list[Period], times_us: NDArray[np.int64]) -> list[int]:
    """Return how many rows, of those in order of time, lie before the end of each period."""
    return [int(place) for place in np.searchsorted(times_us, [to_us(one.end) for one in found], side="left")]

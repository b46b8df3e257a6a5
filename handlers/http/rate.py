"""How often each caller may do something: token buckets in bounded memory."""

import time
from collections import OrderedDict
from collections.abc import Callable

MAX_CALLERS = 10_000
#: Sums of parts of seconds come to a little less than 1.
_WHOLE = 1 - 1e-9


class Buckets:
    """Lets each caller through so many times a minute, all at once or spread; used from one thread.

    The callers not seen for longest are forgotten once there are too many: they start anew with a full bucket.
    """

    def __init__(
        self, per_minute: int, now: Callable[[], float] = time.monotonic, max_callers: int = MAX_CALLERS
    ) -> None:
        """`per_minute` 0 lets everything through; `now` in seconds."""
        self._size = float(per_minute)
        self._per_s = per_minute / 60
        self._now = now
        self._max_callers = max_callers
        self._callers: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str) -> float:
        """Return how long the caller has to wait until it may take one; 0 if it need not."""
        if not self._size:
            return 0.0
        left = self._left(caller)
        return 0.0 if left >= _WHOLE else (1 - left) / self._per_s

    def take(self, caller: str) -> float:
        """Take one if there is one, and return 0; else return how long to wait, in seconds."""
        wait_s = self.wait_s(caller)
        if self._size and not wait_s:
            self._callers[caller] = (self._left(caller) - 1, self._now())
            self._callers.move_to_end(caller)
            while len(self._callers) > self._max_callers:
                self._callers.popitem(last=False)
        return wait_s

    def __len__(self) -> int:
        """Return how many callers are remembered."""
        return len(self._callers)

    def _left(self, caller: str) -> float:
        left, since = self._callers.get(caller, (self._size, self._now()))
        return min(self._size, left + (self._now() - since) * self._per_s)

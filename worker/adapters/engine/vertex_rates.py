"""How often Vertex AI may be asked: a bucket of calls that fills with time, and what is left out after a refusal."""

import threading
import time
from collections.abc import Callable

_FIRST_REST_S = 2.0
_LONGEST_REST_S = 60.0
#: The share of a minute's calls that may come at once.
_BURST = 6


class Allowance:
    """Calls of one kind, counted in this process.

    In no minute there are more than `per_minute`. Replicas do not count each other's: where they ask for more than the
    project has, Vertex AI refuses, and each rests, longer with every refusal.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with a full bucket; `clock` counts seconds."""
        self._size = max(1.0, per_minute / _BURST)
        self._per_s = max(per_minute - self._size, 1.0) / 60
        self._clock = clock
        self._lock = threading.Lock()
        self._filled, self._at = self._size, clock()
        self._rest_s, self._until = _FIRST_REST_S, 0.0

    def take(self) -> float:
        """Take one call and return 0; or take none, and return in how many seconds there is one."""
        with self._lock:
            now = self._clock()
            if now < self._until:
                return self._until - now
            self._filled = min(self._size, self._filled + (now - self._at) * self._per_s)
            self._at = now
            if self._filled < 1:
                return (1 - self._filled) / self._per_s
            self._filled -= 1
            return 0.0

    def refused(self) -> None:
        """Rest: the quota that all share is used up."""
        with self._lock:
            self._until = self._clock() + self._rest_s
            self._rest_s = min(2 * self._rest_s, _LONGEST_REST_S)

    def granted(self) -> None:
        """Begin anew with short rests: there is quota."""
        with self._lock:
            self._rest_s = _FIRST_REST_S

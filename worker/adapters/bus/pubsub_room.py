"""How many messages one pull may ask for, so that what it brings stays within memory whatever size messages have."""

import re

from google.api_core.exceptions import ResourceExhausted

#: What one batch is to hold at most, in bytes, judged by the last ones; two are in memory at a time.
BATCH_BYTES = 32 * 1024 * 1024
#: As gRPC says it: "Received message larger than max (70000000 vs. 67108864)".
_SIZE = re.compile(r"larger than max \((\d+)")


class Room:
    """Learns how large messages are; used by one pull at a time."""

    def __init__(self, limit: int) -> None:
        """`limit` is the most messages, however small."""
        self._limit = limit
        self._each = 0

    def most(self, wanted: int) -> int:
        """Return how many messages to ask for."""
        return min(wanted, self._limit, max(1, BATCH_BYTES // self._each if self._each else wanted))

    def saw(self, messages: int, size: int) -> None:
        """Learn from an answer of so many messages and bytes; large ones are forgotten slowly."""
        self._each = max(size // messages, self._each // 2)

    def overflowed(self, error: BaseException | None, asked: int) -> bool:
        """Tell whether the answer to so many was refused on this side as too large; if so, fewer are asked for next."""
        if not isinstance(error, ResourceExhausted) or "larger than max" not in str(error):
            return False
        size = _SIZE.search(str(error))
        self._each = max(2 * BATCH_BYTES // asked, int(size.group(1)) // asked if size else 0)
        return True

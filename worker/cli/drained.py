"""Taking messages until a bus is empty, as far as anybody can know that."""

import time
from threading import Event
from typing import Any

from worker.errors import TryLater
from worker.intake.consume import BATCH
from worker.intake.receive import Received, Verdict, message_id

_LOOK_S = 1.0
#: How long messages that failed are waited for beyond the idle time: the bus gives them back with a growing pause.
_AGAIN_S = 90.0


class Intake:
    """The intake of a drain; `turn` is run by a loop of its own.

    Attributes:
        taken: so many messages came.
        done: there is nothing more to take, or no more may be taken.
        left: messages are known to be left.
    """

    def __init__(self, app: Any, idle_s: float, most: int | None) -> None:
        """Take nothing yet; `idle_s` without a message is the end of a live bus, `most` messages are the end of all."""
        self._subscription = app.subscription
        self._consumer = app.consumer(self._told)
        self._idle_s = idle_s
        self._most = most
        self._failed: set[str] = set()
        self._quiet_since: float | None = None
        self.taken = 0
        self.done = Event()
        self.left = False

    def turn(self) -> int:
        """Take one batch, and see whether it was the last. Raises TryLater."""
        if self._subscription.exhausted():
            self.done.set()
        if self.done.is_set():
            return 0
        begun = time.monotonic()
        try:
            count: int = self._consumer.turn(_LOOK_S, limit=self._room())
        except TryLater:
            # To hear nothing from a bus that is away is not to hear that it is empty.
            self._quiet_since = None
            raise
        self.taken += count
        if count:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = begun
        self._conclude()
        return count

    def _room(self) -> int:
        return BATCH if self._most is None else min(BATCH, self._most - self.taken)

    def _conclude(self) -> None:
        if self._most is not None and self.taken >= self._most:
            self.left = bool(self._failed) or self._more()
            self.done.set()
        elif self._quiet_since is not None:
            quiet_s = time.monotonic() - self._quiet_since
            if quiet_s >= self._idle_s + (_AGAIN_S if self._failed else 0.0):
                self.left = bool(self._failed)
                self.done.set()

    def _more(self) -> bool:
        """Look whether another message is there; it is given back."""
        found = self._subscription.pull(1, _LOOK_S)
        if found:
            self._subscription.retry(found)
        return bool(found)

    def _told(self, item: Received) -> None:
        if item.verdict is Verdict.RETRY:
            self._failed.add(message_id(item.message))
        elif self._failed:
            self._failed.discard(message_id(item.message))

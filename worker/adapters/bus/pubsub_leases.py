"""Keeps messages in hand from being delivered again: their deadlines are moved on while a batch takes its time."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from worker.errors import TryLater

#: What each extension asks for; the subscription's own deadline may be as short as 10 s, hence the early first one.
EXTENSION_S = 60
FIRST_S, EVERY_S, AGAIN_S = 4.0, 20.0, 2.0
#: A batch that takes longer than this is let go: another worker may do better.
LONGEST_S = 900.0

log = structlog.get_logger(__name__)


@dataclass
class _Batch:
    """Receipts that came together.

    Attributes:
        due: when their deadline has to be moved on.
        end: when they are let go.
    """

    receipts: set[str]
    due: float
    end: float


def _in_a_thread(run: Callable[[], None]) -> None:
    threading.Thread(target=run, name="colony-leases", daemon=True).start()


class Leases:
    """The receipts in hand; a thread of its own moves their deadlines on, and sleeps while there is nothing to do."""

    def __init__(
        self,
        extend: Callable[[Sequence[str]], None],
        now: Callable[[], float] = time.monotonic,
        start: Callable[[Callable[[], None]], None] = _in_a_thread,
    ) -> None:
        """`extend` moves the deadlines of receipts on by `EXTENSION_S`, and raises TryLater.

        `start` runs what takes the turns beside the caller, once there is something to hold.
        """
        self._extend = extend
        self._now = now
        self._start = start
        self._batches: list[_Batch] = []
        self._changed = threading.Condition()
        self._started = False
        self._closed = False

    def hold(self, receipts: Iterable[str]) -> None:
        """Keep these from now on."""
        with self._changed:
            now = self._now()
            self._batches.append(_Batch(set(receipts), now + FIRST_S, now + LONGEST_S))
            if not self._started and not self._closed:
                self._started = True
                self._start(self._run)
            self._changed.notify()

    def release(self, receipts: Iterable[str]) -> None:
        """Keep these no longer: they were answered."""
        gone = set(receipts)
        with self._changed:
            for batch in self._batches:
                batch.receipts -= gone
            self._batches = [batch for batch in self._batches if batch.receipts]

    def turn(self) -> None:
        """Move on what is due, and let go what took too long."""
        with self._changed:
            now = self._now()
            for batch in self._batches:
                if batch.end <= now:
                    log.warning("messages are let go, they took too long", messages=len(batch.receipts))
            self._batches = [batch for batch in self._batches if batch.end > now]
            due = [(batch, list(batch.receipts)) for batch in self._batches if batch.due <= now]
        for batch, receipts in due:
            wait = EVERY_S
            try:
                self._extend(receipts)
            except TryLater as error:
                log.warning("deadlines could not be moved on", messages=len(receipts), error=str(error))
                wait = AGAIN_S
            batch.due = self._now() + wait

    def close(self) -> list[str]:
        """End, and return what was still in hand."""
        with self._changed:
            self._closed = True
            left = [receipt for batch in self._batches for receipt in batch.receipts]
            self._batches = []
            self._changed.notify()
        return left

    def _run(self) -> None:
        while True:
            self.turn()
            with self._changed:
                if self._closed:
                    return
                next_due = min((min(batch.due, batch.end) for batch in self._batches), default=None)
                # What is held later may be due earlier: `hold` wakes this up.
                self._changed.wait(None if next_due is None else max(0.0, next_due - self._now()))

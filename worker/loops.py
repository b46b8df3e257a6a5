"""A loop that turns until it is stopped: idle it rests, after a fault it backs off, and it never dies silently."""

import threading
import time
from collections.abc import Callable

import structlog

from worker.errors import LeaseLost, TryLater

log = structlog.get_logger()

MAX_BACKOFF_S = 30.0


class Loop(threading.Thread):
    """Runs `turn` in a thread of its own.

    Attributes:
        vital: whether a fault of it makes the process unready.
        fault: the last turn's error, None while all is well; `/readyz` shows it.
        turning_since: when the turn in hand began (monotonic), None between turns; `/livez` looks at it.
    """

    vital = True

    def __init__(
        self, name: str, turn: Callable[[], int], *, idle_s: float, failed: Callable[[str], None] = lambda _: None
    ) -> None:
        """`turn` returns how much it did; 0 makes the loop rest for `idle_s` seconds; `failed` hears of each fault."""
        super().__init__(name=f"colony-{name}", daemon=True)
        self._turn = turn
        self._tell = failed
        self._idle_s = idle_s
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self.fault: str | None = None
        self.turning_since: float | None = None

    def run(self) -> None:
        """Turn until stopped."""
        backoff_s = self._idle_s
        while not self._stopped.is_set():
            # What wakes it from here on is about something that this turn may not see.
            self._woken.clear()
            try:
                done = self._timed()
            except (TryLater, LeaseLost) as error:
                self._failed(str(error))
            except Exception as error:
                log.exception("loop failed", loop=self.name)
                self._failed(f"{type(error).__name__}: {error}")
            else:
                self.fault, backoff_s = None, self._idle_s
                if not done:
                    self._woken.wait(self._idle_s)
                continue
            self._stopped.wait(backoff_s)
            backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)

    def _timed(self) -> int:
        self.turning_since = time.monotonic()
        try:
            return self._turn()
        finally:
            self.turning_since = None

    def _failed(self, reason: str) -> None:
        if self.fault != reason:
            log.warning("loop waits", loop=self.name, reason=reason)
        self._tell(self.name)
        self.fault = reason

    def wake(self) -> None:
        """Let it turn now, if it rests; if it turns, let it turn once more. A fault's back-off is not cut short."""
        self._woken.set()

    def stop(self) -> None:
        """Ask it to end after the turn in hand."""
        self._stopped.set()
        self._woken.set()

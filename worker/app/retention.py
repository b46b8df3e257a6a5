"""The loop that forgets what is older than it is kept: once an hour one process of all, bit by bit."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import structlog

from config.settings import Settings
from worker.clock import EPOCH, Clock

log = structlog.get_logger()

EVERY = timedelta(hours=1)
#: How often to ask whether it is one's turn: another process may have had it, and ended.
ASK_EVERY = timedelta(minutes=5)
#: A replay writes with its recording's times: what it brought is kept for as long as a bus may bring it again.
AFTER_REPLAY = timedelta(days=31)
_LEASE = "retention"
_LONGEST_REST_S = 1.0
#: What is kept, as the settings `keep_…_days` and the options of `colony ledger prune` call it.
KEPT = ("inbox", "decisions", "published", "run")


class Care(Protocol):
    """What of the ledger's care is needed here."""

    def keep(self, *durations: timedelta | None, webhook: bool = True) -> Any:
        """Return how long things are kept."""
        ...

    def steps(self, keep: Any, now: datetime, runs_root: Path) -> Iterator[int]:
        """Forget what is old, bit by bit."""
        ...

    def claim(self, name: str, owner: str, every: timedelta) -> bool:
        """Take the right to do something once in `every`."""
        ...

    def postpone(self, name: str, by: timedelta) -> None:
        """Let nobody take that right for so long."""
        ...


def keep_as_set(care: Care, settings: Settings, **days: float | None) -> Any:
    """Return how long things are kept: as the settings say, or `days` where they are given; 0 is for ever."""
    asked = (days.get(name) for name in KEPT)
    chosen = [
        getattr(settings, f"keep_{name}_days") if of is None else of for name, of in zip(KEPT, asked, strict=True)
    ]
    told = bool(settings.webhook.get_secret_value())
    return care.keep(*(timedelta(days=of) if of else None for of in chosen), webhook=told)


def keep_replayed(care: Care) -> None:
    """Let no worker forget by itself what a replay brings, whose rows are as old as its recording."""
    care.postpone(_LEASE, AFTER_REPLAY)


@dataclass
class Retention:
    """Used from one thread.

    Attributes:
        rest: waits for so many seconds; between two steps as long as the last one took, so that others get their turn.
    """

    care: Care
    keep: Any
    runs_root: Path
    clock: Clock
    owner: str
    rest: Callable[[float], None] = time.sleep
    _next: datetime = field(default=EPOCH, init=False)
    _steps: Iterator[int] | None = field(default=None, init=False)
    _forgotten: int = field(default=0, init=False)

    def turn(self) -> int:
        """Make one step if something is to be forgotten now; return 1 if there may be another, 0 if not."""
        now = self.clock()
        if self._steps is None:
            if now < self._next:
                return 0
            self._next = now + ASK_EVERY
            if not self.care.claim(_LEASE, self.owner, EVERY):
                return 0
            self._steps, self._forgotten = self.care.steps(self.keep, now, self.runs_root), 0
        return self._step(self._steps)

    def _step(self, steps: Iterator[int]) -> int:
        began = time.monotonic()
        try:
            done = next(steps, None)
        except BaseException:
            # A generator that has raised is over; what is left goes the next time.
            self._steps = None
            raise
        if done is None:
            self._steps = None
            if self._forgotten:
                log.info("what was old is forgotten", rows=self._forgotten)
            return 0
        self._forgotten += done
        self.rest(min(time.monotonic() - began, _LONGEST_REST_S))
        return 1

"""Warnings of what goes wrong with every request, at most one a minute of each kind, with how often it did."""

import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

_EVERY_S = 60.0


class Losses:
    """Says the first of a kind at once, and sums up the others; safe to share between threads."""

    def __init__(self, words: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`words` is what each warning says."""
        self._words = words
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._since: dict[tuple[str, ...], tuple[float, int]] = {}

    def add(self, count: int, why: str = "", **kind: str) -> None:
        """Take so many more of a kind; `why` is told, and makes no other kind."""
        now, key = self._monotonic(), tuple(sorted(kind.items()))
        names = tuple(f"{name}={value}" for name, value in key)
        with self._lock:
            said, before = self._since.get(names, (-_EVERY_S, 0))
            due = now - said >= _EVERY_S
            self._since[names] = (now, 0) if due else (said, before + count)
        if due:
            log.warning(self._words, count=before + count, why=why, **kind)

    def sum_up(self) -> None:
        """Say what was not said yet."""
        with self._lock:
            left = {names: count for names, (_, count) in self._since.items() if count}
            self._since.clear()
        for names, count in left.items():
            log.warning(self._words, count=count, of=", ".join(names))

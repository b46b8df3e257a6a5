"""Waiting for something to become true, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], enough: Callable[[T], bool] = bool, *, timeout_s: float = 120.0) -> T:
    """Return the first `look()` that is `enough`; fail with the last one after the deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        seen = look()
        if enough(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s; last seen: {seen}")
        time.sleep(0.005)

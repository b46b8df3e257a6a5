"""Runs a step in a process below this one: ended when it takes too long, tried again, with nothing left of it after.

PipelineSpec has no time-out for a task, and Vertex ignores retries inside a loop: so both sit here, in the step itself.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

from worker.bee import duration_text

_SHORTEST_S, _LONGEST_S = 0.002, 0.05
_MAX_REASON = 4000


@dataclass(frozen=True)
class Limits:
    """How often a step is tried, and for how long.

    Attributes:
        timeout_s: of each attempt; None for no limit.
        attempts: how often in all.
        backoff_s: before the second attempt, doubled before each later one.
    """

    timeout_s: float | None = None
    attempts: int = 1
    backoff_s: float = 0.0

    @property
    def needed(self) -> bool:
        """Whether there is anything to watch over."""
        return self.timeout_s is not None or self.attempts > 1


@dataclass(frozen=True)
class End:
    """How an attempt ended.

    Attributes:
        reason: in words, empty if it went well.
        again: whether another attempt may end otherwise.
    """

    code: int
    reason: str = ""
    again: bool = True


@dataclass(frozen=True)
class Family:
    """What the operating system does for a process that has children: see `worker.adapters.engine.local_process`."""

    adopt_orphans: Callable[[], None]
    end_children: Callable[[], object]
    die_with_parent: Callable[[int, int], None]


def supervised(attempt: Callable[[], End], limits: Limits, family: Family) -> End:
    """Return how the last attempt ended; each runs in a forked process, whose children end with it.

    Args:
        attempt: the work; what it raises, or a signal, is a failure of that process only.
        limits: time and attempts.
        family: how to end what an attempt leaves behind.
    """
    family.adopt_orphans()
    for number in range(1, limits.attempts + 1):
        end = _once(attempt, limits, family)
        if end.code == 0 or not end.again or number == limits.attempts:
            return end
        wait_s = limits.backoff_s * 2 ** (number - 1)
        _say(f"attempt {number} of {limits.attempts} failed: {end.reason}; the next one in {wait_s:g} s")
        time.sleep(wait_s)
    raise AssertionError("unreachable: the last attempt returns")


def _once(attempt: Callable[[], End], limits: Limits, family: Family) -> End:
    told, tell = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    above = os.getpid()
    pid = os.fork()
    if not pid:
        os.close(told)
        _attempt(attempt, tell, family, above)
    os.close(tell)
    try:
        deadline = None if limits.timeout_s is None else time.monotonic() + limits.timeout_s
        status = _wait(pid, deadline)
        family.end_children()
        if status is None:
            reason = f"the step took longer than {duration_text(timedelta(seconds=limits.timeout_s or 0))}, its timeout"
            _say(reason)
            return End(1, reason)
        return _read(status, told)
    finally:
        os.close(told)


def _attempt(attempt: Callable[[], End], tell: int, family: Family, above: int) -> NoReturn:
    """Do the work in the child; what it has to say goes through the pipe, which takes that much without a reader."""
    code = 1
    try:
        # The process above may have been killed since the fork: nobody would tell of that any more.
        family.die_with_parent(9, above)
        end = attempt()
        code = end.code
        os.write(tell, (b"+" if end.again else b"-") + end.reason.encode()[:_MAX_REASON])
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _wait(pid: int, deadline: float | None) -> int | None:
    """Return a child's wait status, or None when the time is up."""
    pause = _SHORTEST_S
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        if deadline is not None and time.monotonic() >= deadline:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            return None
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_S)


def _read(status: int, told: int) -> End:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        reason = f"its process was ended by signal {-code}"
        _say(reason)
        return End(1, reason)
    os.set_blocking(told, False)
    said = b""
    with suppress(BlockingIOError):
        said = os.read(told, _MAX_REASON + 1)
    reason = said[1:].decode("utf-8", "replace") or ("" if code == 0 else f"its process ended with code {code}")
    return End(code, reason, again=not said.startswith(b"-"))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the engine keeps it as the reason

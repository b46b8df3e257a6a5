"""Facts of processes: who a pid is (so that a recycled one is never hit), dying with one's parent, ending orphans."""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
#: How long a killed process may take to be gone; one that waits for a dead disk or network takes for ever.
_GONE_S = 1.0


def die_with_parent(number: int, parent: int | None = None) -> None:
    """Ask the kernel for a signal when the parent dies (Linux); if it is dead already, send it now.

    Args:
        number: the signal.
        parent: the pid that the parent had when this process was made; None if it cannot be known.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), number)


def adopt_orphans() -> None:
    """Become the parent of every process below this one whose own parent ends, in whatever session (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_children(spared: Collection[int] = (), since: int | None = None) -> bool:
    """Kill and collect all children of this process but the spared ones, and what becomes its child by that.

    Args:
        spared: those that may live.
        since: look only at processes younger than this one, of which fewer than there are numbers can have begun.

    Returns:
        Whether all are gone; a process that waits for a dead disk goes later, and one that forks on and on may escape.
    """
    deadline = time.monotonic() + _GONE_S
    while _has_children() and (found := [pid for pid in _children(since) if pid not in spared]):
        if time.monotonic() > deadline:
            return False
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if sum(map(_collected, found)) == 0:
            time.sleep(0.001)
    return True


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _children(since: int | None) -> Iterator[int]:
    """Give the children of this process, zombies too. Without /proc there are none to be found."""
    me = str(os.getpid())
    with suppress(OSError):
        numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 (pathlib is slow)
        for pid in numbers if since is None else _younger(numbers, since):
            if _fields(pid)[1:2] == [me]:
                yield pid


def _younger(numbers: Sequence[int], since: int) -> Iterator[int]:
    """Give the numbers that were given to processes after `since` was; after the highest the lowest follow."""
    with open("/proc/loadavg", encoding="ascii") as file:  # noqa: PTH123 (as above)
        newest = int(file.read().split()[-1])
    for pid in numbers:
        if since < pid <= newest or (newest < since and (pid > since or pid <= newest)):
            yield pid


def _collected(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return True


def identity(pid: int) -> str:
    """Return what tells this process from a later one of the same number: JSON of pid, start and boot."""
    return json.dumps({"pid": pid, "start": _start(pid), "boot": _boot()})


def kill_if_same(recorded: str) -> bool:
    """Kill the process group of a recorded identity if that very process still lives; whether it did.

    Where the start of a process cannot be read (no /proc) nothing is killed.
    """
    try:
        known = json.loads(recorded)
        pid = int(known["pid"])
    except (ValueError, KeyError, TypeError):
        return False
    if known.get("start") is None or recorded != identity(pid):
        return False
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    return True


def _start(pid: int) -> int | None:
    """Return the start of a process in clock ticks since boot, None if there is no such (living) process."""
    fields = _fields(pid)
    return None if not fields or fields[0] in "ZX" else int(fields[19])


def _fields(pid: int) -> list[str]:
    """Return what the kernel tells of a process, from its state on; nothing if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (pathlib is slow)
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""

"""Facts of processes: who a pid is (so that a recycled one is never hit), and dying with one's parent."""

import ctypes
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1


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
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""

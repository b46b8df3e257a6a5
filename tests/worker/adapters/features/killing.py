"""Runs work in a child that kills itself, as `kill -9` would, at the n-th file that it opens, moves or removes."""

import os
import signal
import sys
from collections.abc import Callable

#: What the interpreter announces of every change to files; commits of SQLite lie between them.
_EVENTS = {"open", "os.rename", "os.remove", "mmap.__new__", "sqlite3.connect", "os.truncate"}


def killed_at(number: int, work: Callable[[], object]) -> bool:
    """Do the work in a fork; return whether it was killed before it was through."""
    child = os.fork()
    if not child:
        _die_at(number)
        try:
            work()
        except BaseException:  # noqa: BLE001 - the child must not return into pytest
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "the child failed"
    return False


def _die_at(number: int) -> None:
    left = [number]

    def hook(event: str, _: tuple[object, ...]) -> None:
        if event in _EVENTS:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)

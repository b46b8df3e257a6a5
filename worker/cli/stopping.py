"""How a command ends when it is asked to: a flag for those that work until then, an exception for the others."""

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from worker.loops import Loop

GRACE_S = 7.0
#: So long after it was asked to end the process is gone, whatever still hangs.
BOUND_S = 7.5


class Terminated(SystemExit):
    """SIGTERM came: the command unwinds as after Ctrl-C, so that steps end, claims are released, and work goes on."""


def flag_on(*signals: signal.Signals) -> threading.Event:
    """Return a flag that these signals raise, instead of what they did before; the same one whenever it is asked for.

    What is in hand has 7.5 seconds from then. A query that waits for another's lock may take longer, and a statement
    in C hears no signal: then the process ends with 0 all the same, as if it had been killed, which may happen to it
    at any time.
    """
    flag, wanted = _listening()
    for number in signals:
        wanted.add(number)
        signal.signal(number, _heard)
    return flag


def _heard(*_: object) -> None:
    """Leave it to the thread that listens: here nothing may wait for a lock, or raise in the middle of an import."""


@cache
def _listening() -> tuple[threading.Event, set[int]]:
    """Start the thread that listens, once; return its flag, and the signals that it listens for."""
    flag, wanted = threading.Event(), set[int]()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    # Whoever is forked without a program of its own must not speak for us.
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
    threading.Thread(target=_listen, args=(reader, flag, wanted), name="colony-stop", daemon=True).start()
    return flag, wanted


def _listen(reader: int, flag: threading.Event, wanted: set[int]) -> NoReturn:
    while os.read(reader, 1)[0] not in wanted:
        pass
    flag.set()
    time.sleep(BOUND_S)
    sys.stderr.write("colony: what is in hand takes too long; the next process takes it up\n")
    sys.stderr.flush()
    os._exit(0)


def raise_on_sigterm() -> None:
    """Let SIGTERM raise Terminated in the main thread, once: asked again, the process ends at once."""

    def terminate(*_: object) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)


def stop_loops(loops: Sequence["Loop"]) -> None:
    """Stop taking, and give what is in hand up to 7 seconds in all."""
    end = time.monotonic() + GRACE_S
    for loop in loops:
        loop.stop()
    for loop in loops:
        loop.join(timeout=max(0.1, end - time.monotonic()))

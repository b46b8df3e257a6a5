"""How a command ends when it is asked to: a flag for those that work until then, an exception for the others."""

import signal
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from worker.loops import Loop

GRACE_S = 7.0


class Terminated(SystemExit):
    """SIGTERM came: the command unwinds as after Ctrl-C, so that steps end, claims are released, and work goes on."""


def flag_on(*signals: signal.Signals) -> threading.Event:
    """Return a flag that these signals raise, instead of what they did before."""
    stopped = threading.Event()
    for number in signals:
        signal.signal(number, lambda *_: stopped.set())
    return stopped


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

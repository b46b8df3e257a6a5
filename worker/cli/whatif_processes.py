"""Two processes over one recording, each with a share of the bees; their parts are laid together."""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from worker.whatif.parts import Part
from worker.whatif.shares import Share

PROCESSES = 2
#: Below this a second process costs more than it saves.
MIN_BYTES = 8_000_000


def worthwhile(path: str | None) -> bool:
    """Tell whether a recording is a file that two can read, large enough, and there is a second processor."""
    if path is None or "fork" not in multiprocessing.get_all_start_methods():
        return False
    file = Path(path)
    return file.is_file() and file.stat().st_size >= MIN_BYTES and len(os.sched_getaffinity(0)) >= PROCESSES


def in_shares(take: Callable[[Share], Part]) -> list[Part] | None:
    """Return what `take` found for each share, each in a process of its own; None if one of them died.

    They are forked: nothing may be open yet that they would read from together.
    """
    context = multiprocessing.get_context("fork")
    started = []
    for number in range(PROCESSES):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_send, args=(take, Share(number, PROCESSES), theirs), daemon=True)
        process.start()
        theirs.close()
        started.append((process, ours))
    found = [_received(ours) for _, ours in started]
    for process, _ in started:
        process.join()
    return [part for part in found if part is not None] if None not in found else None


def _received(connection: Connection) -> Part | None:
    """Return a share's part; none came if its process died (of want of memory, for example)."""
    try:
        found = connection.recv()
    except EOFError:
        return None
    return found if isinstance(found, Part) else None


def _send(take: Callable[[Share], Part], share: Share, connection: Connection) -> None:
    connection.send(take(share))

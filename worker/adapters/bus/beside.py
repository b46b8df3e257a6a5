"""Work beside the caller's, one piece after another, in a thread that the end of the process does not wait for."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

Found = TypeVar("Found")


class Beside:
    """One thread, kept: to start one for each piece would make the caller wait for it to run."""

    def __init__(self, name: str) -> None:
        """Nothing is started before there is work."""
        self._name = name
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._started = False

    def do(self, work: Callable[[], Found]) -> Future[Found]:
        """Have a piece of work done; used from one thread."""
        future: Future[Found] = Future()
        self._work.put(lambda: _finish(future, work))
        if not self._started:
            self._started = True
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        return future

    def close(self) -> None:
        """End once the work in hand is done."""
        self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()


def _finish(future: Future[Any], work: Callable[[], Any]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
        future.set_exception(error)

"""Group commit: callers that wait at the same time share one transaction, and each gets its own answer or error.

Whoever comes while nobody works leads: takes what waits, works through it, and hands over to one of those who came
meanwhile. Those who were just answered tend to come again at once, so a leader whose predecessor had company waits a
moment for as many, a fraction of what the work took; a single caller never waits.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

#: How long a leader waits for the company of last time, as a part of what the last work took, and at most.
_PATIENCE, _MOST_PATIENCE_S = 0.25, 0.002

Call = TypeVar("Call")
Answer = TypeVar("Answer")


class Ticket(Generic[Call, Answer]):
    """One caller's wait."""

    __slots__ = ("answer", "call", "error", "leads", "woken")

    def __init__(self, call: Call) -> None:
        """Wait for nothing yet."""
        self.call = call
        self.answer: Answer | None = None
        self.error: BaseException | None = None
        self.leads = False
        # A plain lock as a one-time signal: an Event costs three times as much, and there is one per write.
        self.woken = threading.Lock()
        self.woken.acquire()


class Group(Generic[Call, Answer]):
    """Threads of one process that call the same thing.

    Args:
        work: gives each ticket its answer or its error; what it raises itself is the error of all that have neither.
        size: how much one call is; together they are not more than `limit`, unless a single one is.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Ticket[Call, Answer]]], None],
        *,
        size: Callable[[Call], int] = lambda _: 1,
        limit: int = 1000,
    ) -> None:
        """Nobody waits yet."""
        self._work = work
        self._size = size
        self._limit = limit
        self._begin()

    def _begin(self) -> None:
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._waiting: list[Ticket[Call, Answer]] = []
        self._busy = False
        self._company, self._patience_s = 1, 0.0
        self._awaited = 0
        self._gathered = threading.Lock()
        self._gathered.acquire()

    def call(self, call: Call) -> Answer:
        """Wait until the call is done, and return its answer or raise its error."""
        if self._owner != os.getpid():
            self._begin()  # whoever led before a fork leads in the parent
        ticket: Ticket[Call, Answer] = Ticket(call)
        with self._lock:
            self._waiting.append(ticket)
            leads = not self._busy
            self._busy = True
            if self._awaited and len(self._waiting) >= self._awaited:
                self._awaited = 0
                self._gathered.release()
        if not leads:
            self._wait(ticket)
        if leads or ticket.leads:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        return ticket.answer  # type: ignore[return-value]  # `work` gave one or the other

    def _wait(self, ticket: Ticket[Call, Answer]) -> None:
        try:
            ticket.woken.acquire()
        except BaseException:  # an interrupted caller must not take the others' turn with it
            with self._lock:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                if ticket.leads:
                    self._hand_over()
            raise

    def _lead(self) -> None:
        self._gather()
        with self._lock:
            batch = self._take()
        start = time.monotonic()
        try:
            self._work(batch)
        except BaseException as error:
            for ticket in batch:
                if ticket.answer is None and ticket.error is None:
                    ticket.error = error
            if not isinstance(error, Exception):
                raise
        finally:
            with self._lock:
                self._company = len(batch)
                self._patience_s = min((time.monotonic() - start) * _PATIENCE, _MOST_PATIENCE_S)
                self._hand_over()
            for ticket in batch:
                ticket.woken.release()

    def _gather(self) -> None:
        """Wait until as many are there as last time, but not for long."""
        with self._lock:
            if len(self._waiting) >= self._company:
                return
            self._awaited = self._company
        self._gathered.acquire(timeout=self._patience_s)
        with self._lock:
            if not self._awaited:  # they came just now: the signal is still there unless it ended the wait
                self._gathered.acquire(blocking=False)
            self._awaited = 0

    def _take(self) -> list[Ticket[Call, Answer]]:
        total, count = 0, 0
        for ticket in self._waiting:
            total += self._size(ticket.call)
            if count and total > self._limit:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    def _hand_over(self) -> None:
        if self._waiting:
            self._waiting[0].leads = True
            self._waiting[0].woken.release()
        else:
            self._busy = False

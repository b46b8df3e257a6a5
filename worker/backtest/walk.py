"""The walk through a history in event time: what is due happens when it is due, and each period's end is judged; pure.

A run takes no event time: what it trains as of a moment serves from that moment on.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from worker.errors import ColonyError


class Managed(Protocol):
    """A bee that is managed, on a clock of its own."""

    def advance(self, moment: datetime) -> None:
        """Let it be that time."""
        ...

    def due(self) -> datetime | None:
        """Return when time alone is the next reason to do something, later than now; None: nothing waits for time."""
        ...

    def act(self) -> None:
        """Do what is due now, and wait for the runs that begin by it."""
        ...

    def judge(self, due: datetime, *, last: bool) -> bool:
        """Judge what is in production on the window that was to be looked at then; wait for the run that begins by it.

        Args:
            due: when that was.
            last: tell it also without its labels, as the monitor does once it has waited for them long enough.

        Returns:
            False if its labels are awaited.

        Raises:
            ColonyError: it cannot be judged.
        """
        ...


def walk(managed: Managed, dues: Sequence[datetime], patience: timedelta, told: Callable[[str], None]) -> None:
    """Live through the times at which windows are to be looked at, oldest first.

    Args:
        managed: the bee.
        dues: when each window is first looked at.
        patience: how long its labels are awaited.
        told: hears of what could not be judged.
    """
    for due in dues:
        if not _look(managed, due, due, told, last=False):
            _look(managed, due, due + patience, told, last=True)


def live_until(managed: Managed, moment: datetime) -> None:
    """Let everything that is due before a moment happen when it is due."""
    while (due := managed.due()) is not None and due < moment:
        managed.advance(due)
        managed.act()


def _look(managed: Managed, due: datetime, moment: datetime, told: Callable[[str], None], *, last: bool) -> bool:
    live_until(managed, moment)
    managed.advance(moment)
    managed.act()
    try:
        return managed.judge(due, last=last)
    except ColonyError as error:
        told(f"the window that was due on {due:%Y-%m-%d} cannot be judged: {error}")
        return True

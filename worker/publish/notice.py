"""What people are told of by webhook: which events, and how each attempt to send one went."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from worker.publish.port import Outgoing


class Sent(StrEnum):
    """Where a notice stands: `failing` is tried again, `lost` no more."""

    FAILING = "failing"
    SENT = "sent"
    LOST = "lost"


@dataclass(frozen=True)
class Notice:
    """An event on its way to people.

    Attributes:
        id, bee, type: the event's.
        attempts: how often it was tried.
        error: of the last attempt; empty once it was taken.
    """

    id: str
    bee: str
    type: str
    attempts: int
    first_at: datetime
    last_at: datetime
    next_at: datetime
    state: Sent
    error: str = ""


class NoticeLedger(Protocol):
    """The outbox as people are told of it: each noteworthy event once it was taken, in order per bee."""

    def claim(self, owner: str, *, lease_s: float) -> int | None:
        """Take the right to send and return the epoch; None if another process has it."""
        ...

    def holds(self, epoch: int) -> None:
        """Check, with the lease's row locked, that the epoch is the newest. Raises LeaseLost."""
        ...

    def release(self, epoch: int) -> None:
        """Give the right back."""
        ...

    def next(self, now: datetime, limit: int) -> Sequence[tuple[Outgoing, Notice | None]]:
        """Return each bee's first event that is still to be told, unless it is to be tried later only."""
        ...

    def save(self, notice: Notice) -> None:
        """Record an attempt; one that was taken, or is lost, is over."""
        ...

    def list(self, *, state: Sent | None = None, limit: int) -> Sequence[Notice]:
        """Return the newest attempts' notices, newest first."""
        ...

    def again(self, event_id: str) -> bool:
        """Let a notice that was lost be sent after all; False if there is none."""
        ...

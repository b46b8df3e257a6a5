"""What intake asks of a message bus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Message:
    """One delivery, as the bus gives it.

    Attributes:
        body: the raw bytes.
        attributes: the bus's attributes (`ce-id`, `content-type`, …).
        message_id: the bus's own id; never used to tell duplicates where the event has an id.
        published_at: when the bus took it, if it says so.
        receipt: what acknowledging this delivery needs; opaque.
        delivery_attempt: 1 for the first, where the bus counts.
    """

    body: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)
    message_id: str = ""
    published_at: datetime | None = None
    receipt: str = ""
    delivery_attempt: int | None = None


class Subscription(Protocol):
    """Where messages come from, at least once."""

    def pull(self, limit: int, wait_s: float) -> Sequence[Message]:
        """Return up to `limit` messages, waiting up to `wait_s` for the first; empty if none came.

        Raises:
            TryLater: the bus cannot be reached.
        """
        ...

    def ack(self, messages: Sequence[Message]) -> None:
        """Acknowledge: these will not come again (best effort; a lost ack brings a duplicate)."""
        ...

    def retry(self, messages: Sequence[Message], after_s: float = 0.0) -> None:
        """Give back: these come again, not before that many seconds where the bus can wait."""
        ...

    def dead_letter(self, message: Message, reason: str) -> None:
        """Put a message where a person looks at it, with the reason, durably; the caller acks it afterwards."""
        ...

    def exhausted(self) -> bool:
        """Whether the source has an end and it has been reached (a file); a live bus never is."""
        ...

    def verify(self) -> None:
        """Make a real call. Raises TryLater or Rejected with the mend."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


@dataclass(frozen=True)
class Failure:
    """One attempt at a message that failed."""

    at: datetime
    reason: str


@dataclass(frozen=True)
class DeadLetter:
    """A message that was turned away, whole, with the reason.

    Attributes:
        id: of the message's content: the same message always has the same.
        history: the attempts that failed before it was given up, oldest first.
        requeued_at, requeued_as: when a person last put it back through the intake, and what became of it.
    """

    id: str
    source: str
    event_id: str
    reason: str
    received_at: datetime
    deliveries: int
    attributes: Mapping[str, str]
    body: bytes
    message_id: str = ""
    history: Sequence[Failure] = ()
    requeued_at: datetime | None = None
    requeued_as: str = ""


class Inbox(Protocol):
    """The ledger's record of what came in, inside one transaction."""

    def arrived(self, source: str, event_id: str, type_: str, now: datetime) -> bool:
        """Record an event; False if it was recorded before (its deliveries are counted)."""
        ...

    def conclude(self, source: str, event_id: str, verdict: str, reason: str | None) -> None:
        """Record the verdict."""
        ...

    def deliveries(self, source: str, event_id: str) -> int:
        """Return how often the event came."""
        ...

    def add_dead_letter(self, letter: DeadLetter) -> None:
        """Keep a message that was turned away; the same again counts a delivery."""
        ...

    def dead_letters(self) -> Sequence[DeadLetter]:
        """Return what was turned away, oldest first."""
        ...

    def dead_letter(self, id_: str) -> DeadLetter | None:
        """Return one dead letter."""
        ...

    def requeued(self, id_: str, outcome: str, now: datetime) -> None:
        """Record that a dead letter was put back through the intake, and what became of it."""
        ...

    def failed(self, id_: str, failure: Failure) -> Sequence[Failure]:
        """Record that handling a message failed; return every failure of it, oldest first."""
        ...

    def forget_failures(self, ids: Sequence[str]) -> None:
        """Forget the failures of messages that have been dealt with."""
        ...

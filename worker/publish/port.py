"""What publishing asks of a message bus and of the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

SOURCE = "//colony/mlops"


@dataclass(frozen=True)
class Outgoing:
    """One event as it leaves: a CloudEvent 1.0.

    Attributes:
        id: a hash of type, subject id and transition number: a repeat has the same id.
        bee: the CloudEvents subject, and the ordering key.
        sequence: 1, 2, 3 … per bee, in the order of the bee's changes; 0 for an event that is in no such order.
        source: the CloudEvents source; another than ours only for events that go to our own intake.
    """

    id: str
    type: str
    bee: str
    sequence: int
    time: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    source: str = SOURCE


class Topic(Protocol):
    """Where events go, at least once, in order per bee."""

    def publish(self, events: Sequence[Outgoing]) -> Sequence[str]:
        """Publish in order and return the ids that the bus confirmed; after a failure none of that bee's later ones.

        Raises:
            TryLater: nothing could be published.
        """
        ...

    def verify(self) -> None:
        """Make a real call. Raises TryLater or Rejected with the mend."""
        ...

    def close(self) -> None:
        """Flush and release connections."""
        ...


class Outbox(Protocol):
    """Events that leave with the transaction that caused them."""

    def add(
        self, bee: str, type_: str, subject_id: str, transition: int, time: datetime, data: Mapping[str, Any]
    ) -> None:
        """Append an event with the bee's next sequence; one that is there already (same id) is not added again."""
        ...

    def list(self, *, bee: str | None = None) -> Sequence[tuple[Outgoing, bool]]:
        """Return events in order with whether each was published."""
        ...

    def waiting(self) -> int:
        """Return how many have not been published."""
        ...

    def bees_waiting(self, limit: int) -> Sequence[str]:
        """Return bees that have unpublished events."""
        ...

    def unpublished(self, bee: str, limit: int) -> Sequence[Outgoing]:
        """Return a bee's unpublished events in the order of their sequence."""
        ...

    def mark(self, bee: str, event_ids: Sequence[str], now: datetime) -> None:
        """Record that the bus confirmed these."""
        ...

    def claim(self, bee: str, owner: str, *, lease_s: float) -> int | None:
        """Lease a bee's outbox and return the epoch; None if another process holds it."""
        ...

    def holds(self, bee: str, epoch: int) -> None:
        """Check, with the lease's row locked, that the epoch is the newest. Raises LeaseLost."""
        ...

    def release(self, bee: str, epoch: int) -> None:
        """Give the lease back."""
        ...

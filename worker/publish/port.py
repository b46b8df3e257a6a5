"""What publishing asks of a message bus and of the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class Outgoing:
    """One event as it leaves: a CloudEvent 1.0 whose source is `//colony/mlops`.

    Attributes:
        id: a hash of type, subject id and transition number: a repeat has the same id.
        bee: the CloudEvents subject, and the ordering key.
        sequence: 1, 2, 3 … per bee, in the order of the bee's changes.
    """

    id: str
    type: str
    bee: str
    sequence: int
    time: datetime
    data: Mapping[str, Any] = field(default_factory=dict)


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

"""What the correction of costs asks of a bill."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Billed:
    """What the bill says of one run so far.

    Attributes:
        amount: with its credits, in the currency of the price list; None: the bill is in another and names no rate.
        currency: of the bill itself.
    """

    amount: float | None
    currency: str


class Bill(Protocol):
    """The export of a billing account."""

    def costs(self, installation: str, runs: Collection[str], since: datetime, until: datetime) -> Mapping[str, Billed]:
        """Return run label -> what was charged for usage in [since, until); runs of which it says nothing are left out.

        Args:
            installation: the label `installation` of our runs.
            runs: the labels `run`.
            since: nothing older is read.
            until: nothing newer is read.

        Raises:
            TryLater: it is away, or reading it would cost more than is allowed.
            Rejected: there is no such table, or no right to read it.
        """
        ...

    def verify(self) -> str:
        """Plan a query without running it, and say how much it would read. Raises as `costs`."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...

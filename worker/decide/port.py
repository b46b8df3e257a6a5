"""What deciding asks of the ledger, inside one transaction."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from worker.decide.memory import BeeMemory, ColonyMemory


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """One decision as the journal keeps it and as `colony decisions --json` prints it."""

    source: str
    event_id: str
    bee: str
    model_version: str
    evaluated_at: datetime
    decided_at: datetime
    action: str
    reason: str
    rules: Sequence[Mapping[str, Any]]
    run_id: str | None
    incident_id: str | None
    policy_version: str
    evaluation: Mapping[str, Any]


class DecisionLedger(Protocol):
    """The journal, and the watermarks that order goes by."""

    def add(self, decision: Recorded) -> None:
        """Append one decision."""
        ...

    def get(self, source: str, event_id: str) -> Recorded | None:
        """Return the decision about an event."""
        ...

    def named(self, event_id: str) -> Sequence[Recorded]:
        """Return the decisions about events of that id, one for each source that used it."""
        ...

    def for_run(self, run_id: str) -> Recorded | None:
        """Return the decision that asked for a run; None if it was not an evaluation that did."""
        ...

    def newest(self, bee: str, *, incident_id: str | None = None, until: datetime | None = None) -> Recorded | None:
        """Return the newest decision about a bee (that belongs to an incident; that was made until a time)."""
        ...

    def list(self, *, bee: str | None = None, limit: int | None = None) -> Iterator[Recorded]:
        """Yield decisions in the order they were made (the last `limit` of them)."""
        ...

    def page(
        self, *, bee: str | None = None, before: int | None = None, limit: int
    ) -> tuple[Sequence[Recorded], int | None]:
        """Return the newest `limit` decisions older than `before`, and what to go on before; None at the end.

        They come in the order they were made. The numbers are the ledger's own and only grow.
        """
        ...

    def watermark(self, bee: str, version: str) -> datetime | None:
        """Return the event time of the newest evaluation judged."""
        ...

    def move_watermark(self, bee: str, version: str, to: datetime) -> None:
        """Record that an evaluation of that time was judged; it never goes back."""
        ...


class MemoryLedger(Protocol):
    """What deciding remembers of each bee, and of all of them together."""

    def of(self, bee: str) -> BeeMemory:
        """Return what is remembered of a bee; a new memory if there is none."""
        ...

    def save(self, bee: str, memory: BeeMemory) -> None:
        """Replace what is remembered of a bee; its lock must be held."""
        ...

    def all(self) -> Mapping[str, BeeMemory]:
        """Return every bee's memory, by name."""
        ...

    def colony(self, *, lock: bool = False) -> ColonyMemory:
        """Return what is remembered of all bees together; with its lock, which is taken after those of the bees."""
        ...

    def save_colony(self, memory: ColonyMemory) -> None:
        """Replace what is remembered of the colony; its lock must be held."""
        ...

"""What the rest of the system asks of a feature store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import msgspec

if TYPE_CHECKING:
    from worker.features.observed import Observed
    from worker.features.spine import Spine
    from worker.features.training import Table

Value = str | float | bool | None | list[float]


class Status(StrEnum):
    """What an online read says of a value."""

    PRESENT = "PRESENT"
    MISSING = "MISSING"
    EXPIRED = "EXPIRED"
    NULL = "NULL"


@dataclass(frozen=True)
class Definition:
    """One feature, defined once.

    Attributes:
        type: `number`, `string`, `boolean` or `vector`.
        source: `ingested` or `computed`.
        computation: what a computed feature is made of, in the expression language of `worker.features.computed`.
        ttl: how long a value stays valid after its event time; None for ever.
        version: given by the store, 1 for the first.
        unit, tags: for people who search.
        minimum, maximum: of a number, both inclusive; None for no bound.
        deprecated: why it should not be used any more; empty while it may be.
    """

    name: str
    entity: str
    type: str
    source: str = "ingested"
    group: str = ""
    description: str = ""
    computation: str | None = None
    ttl: timedelta | None = None
    owner: str = ""
    version: int = 0
    unit: str = ""
    tags: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    deprecated: str = ""


class Reader(NamedTuple):
    """Who reads, and what for: usage is counted by both.

    Attributes:
        caller: such as `model:spam-guard`, `token:nightly`, `cli`.
        purpose: `serving`, `batch`, `training` or `other`.
    """

    caller: str = "unknown"
    purpose: str = "other"


ANYONE = Reader()


@dataclass(frozen=True)
class Write:
    """One value to store; `event_time` is when it became true, `known_at` when it became known (None: now)."""

    entity_id: str
    feature: str
    value: Value
    event_time: datetime
    known_at: datetime | None = None


class Reading(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The answer to an online read of one feature of one entity; `value` is None unless PRESENT.

    A struct, not a dataclass: a read of nine features makes nine of them, straight from the stored bytes.
    """

    status: Status
    value: Value = None
    event_time: datetime | None = None


@dataclass(frozen=True)
class Usage:
    """How often one feature was read by one reader, in values, and when last."""

    feature: str
    reader: Reader
    reads: int
    last_read: datetime


@dataclass(frozen=True)
class Access:
    """What was read of one feature in one minute, by anyone, in values.

    Attributes:
        number: no two accesses of one store have the same.
        minute: its beginning.
    """

    number: int
    feature: str
    minute: datetime
    reads: int


@dataclass(frozen=True)
class FeatureFacts:
    """What the store knows of an ingested feature's values: how many it keeps, and how new they are."""

    feature: str
    values: int
    newest_event: datetime | None
    last_written: datetime | None


@dataclass(frozen=True)
class LabelWindow:
    """Makes the spine: one row per observation of `label` with event time in [start, end), known by `end`."""

    label: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class TrainingRequest:
    """A point-in-time read.

    Attributes:
        entity: whose rows these are.
        features: names, of `entity` or of any of `entities`.
        entities: further entity -> the feature of `entity` that holds its id (read point-in-time, too).
        spine: (entity id, time) rows, also as columns; or None, and `label` makes them.
        label: the window of labels that makes the spine; its values come back as the column of that name.
        respect_known_at: a value counts for a row at time t only if it was known by t, and a label only if it was
            known by the window's end.
    """

    entity: str
    features: tuple[str, ...]
    entities: Mapping[str, str] = field(default_factory=dict)
    spine: "tuple[tuple[str, datetime], ...] | Spine | None" = None
    label: LabelWindow | None = None
    respect_known_at: bool = True


@dataclass(frozen=True)
class TrainingTable:
    """Rows in the spine's order (a label window's rows: by time, then entity id).

    Attributes:
        snapshot_id: reproduces exactly this table later, whatever is written in between.
        columns: feature (and label) -> one value per row, None where there was none.
        definitions: feature -> definition version that was read.
    """

    snapshot_id: str
    entity_ids: Sequence[str]
    times: Sequence[datetime]
    columns: Mapping[str, Sequence[Value]]
    definitions: Mapping[str, int]


@runtime_checkable
class Following(Protocol):
    """A store whose online values follow the stored ones with a delay."""

    def freshness(self, now: datetime) -> Mapping[str, float]:
        """Return how many seconds the online values of each entity are behind. Raises TryLater, Rejected."""
        ...


class FeatureStore(Protocol):
    """Definitions, writes, online reads and point-in-time training reads, all from one definition."""

    def instant(self, features: Sequence[str]) -> bool:
        """Tell whether an online read of a few values of these takes microseconds and waits for nobody.

        An event loop may make such a read itself; false for a store behind a network, and for what is computed.
        """
        ...

    def define(self, definition: Definition) -> Definition:
        """Store a definition and return it with its version; the same again changes nothing.

        Raises:
            Rejected: a bad name, type, computation or reference.
            Conflict: the type or entity changes while values exist.
        """
        ...

    def definitions(self) -> Sequence[Definition]:
        """Return the newest version of each definition, by name."""
        ...

    def versions(self, name: str) -> Sequence[Definition]:
        """Return every version of one definition, oldest first. Raises NotFound."""
        ...

    def delete(self, name: str) -> None:
        """Delete a feature with all its values; its versions are never given again.

        Raises:
            NotFound: it is not defined.
            Conflict: a computed feature needs it.
        """
        ...

    def facts(self) -> Sequence[FeatureFacts]:
        """Return how many values each ingested feature has and how new they are, by name; cheap."""
        ...

    def usage(self) -> Sequence[Usage]:
        """Return how often each feature was read, by name and reader: what is kept, and what this process counted."""
        ...

    def take_accesses(self, until: datetime) -> Sequence[Access]:
        """Return, once and to one caller only, what was read in the minutes that ended by `until`."""
        ...

    def write(self, values: Iterable[Write]) -> int:
        """Store values durably and return how many were new; the same value again changes nothing.

        Raises:
            Rejected: an unknown or computed feature, a value of another type or out of its declared range, NaN or
                infinity, a bad entity id, a time without a zone or ahead of the clock.
        """
        ...

    def read(
        self, entity_ids: Sequence[str], features: Sequence[str], *, now: datetime, reader: Reader = ANYONE
    ) -> Mapping[str, Mapping[str, Reading]]:
        """Return the newest value of each feature for each entity, as of `now` for expiry; counted for `reader`.

        Raises:
            NotFound: a feature that is not defined.
            Rejected: something that is not an entity id.
        """
        ...

    def training_read(self, request: TrainingRequest, *, reader: Reader = ANYONE) -> TrainingTable:
        """Return the point-in-time table for a request; counted for `reader`.

        Raises:
            Rejected: unknown names, or known-at removed every value (with the counts and the mend).
        """
        ...

    def values_at(self, request: TrainingRequest, *, reader: Reader = ANYONE) -> "Table":
        """Return a point-in-time table as columns, of which nothing is kept; what known-at takes is missing.

        Raises:
            Rejected: unknown names.
        """
        ...

    def reproduce(self, snapshot_id: str) -> TrainingTable:
        """Return exactly the table that an earlier read answered with. Raises NotFound."""
        ...

    def count_labels(self, entity: str, label: str, *, known_after: datetime, known_by: datetime) -> int:
        """Return how many observations of `label` became known in (known_after, known_by] and were true by then.

        Raises NotFound (an unknown label) or Rejected (a feature of another entity).
        """
        ...

    def observations(
        self, entity: str, feature: str, *, start: datetime, end: datetime, respect_known_at: bool = True
    ) -> "Observed":
        """Return what was observed of a feature with event time in [start, end), known by `end`; nothing is kept of it.

        In the order in which it became known, or was true where known-at is not respected.

        Raises NotFound (an unknown feature) or Rejected (one of another entity, or computed).
        """
        ...

    def verify(self) -> None:
        """Make a real write and read. Raises TryLater or Rejected with the mend."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...

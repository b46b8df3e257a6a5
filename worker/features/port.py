"""What the rest of the system asks of a feature store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

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


@dataclass(frozen=True)
class Reader:
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


@dataclass(frozen=True)
class Reading:
    """The answer to an online read of one feature of one entity; `value` is None unless PRESENT."""

    status: Status
    value: Value = None
    event_time: datetime | None = None


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
        spine: (entity id, time) rows; or None, and `label` makes them.
        label: the window of labels that makes the spine; its values come back as the column of that name.
        respect_known_at: a value counts for a row at time t only if it was known by t, and a label only if it was
            known by the window's end.
    """

    entity: str
    features: tuple[str, ...]
    entities: Mapping[str, str] = field(default_factory=dict)
    spine: tuple[tuple[str, datetime], ...] | None = None
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


class FeatureStore(Protocol):
    """Definitions, writes, online reads and point-in-time training reads, all from one definition."""

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

    def write(self, values: Iterable[Write]) -> int:
        """Store values durably and return how many were new; the same value again changes nothing.

        Raises:
            Rejected: an unknown or computed feature, a value of another type, NaN or infinity, a bad entity id.
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

    def reproduce(self, snapshot_id: str) -> TrainingTable:
        """Return exactly the table that an earlier read answered with. Raises NotFound."""
        ...

    def count_labels(self, entity: str, label: str, *, known_after: datetime, known_by: datetime) -> int:
        """Return how many observations of `label` became known in (known_after, known_by] and were true by then.

        Raises NotFound (an unknown label) or Rejected (a feature of another entity).
        """
        ...

    def verify(self) -> None:
        """Make a real write and read. Raises TryLater or Rejected with the mend."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...

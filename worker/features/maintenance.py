"""What a store that keeps its own files lets its operators do; a managed one looks after itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Exported:
    """What went into a file; `left_out` are values that its format cannot tell from an absent one (NULL, in CSV "")."""

    feature: str
    path: Path
    values: int
    left_out: int


@dataclass(frozen=True)
class FeatureStats:
    """How much there is of one feature; `in_log` of its values are not in a segment yet, `bytes` is on the disk."""

    feature: str
    values: int
    entities: int
    bytes: int
    segments: int
    in_log: int
    newest_event: datetime | None
    last_written: datetime | None


@dataclass(frozen=True)
class Loss:
    """Something that is not what was written: how many values of how many entities are in it, and what is wrong."""

    feature: str
    file: str
    rows: int
    entities: int
    problem: str


@dataclass(frozen=True)
class Forgotten:
    """How many values went, and which snapshots cannot be reproduced any more."""

    values: int
    snapshots: Sequence[str]


@dataclass(frozen=True)
class Retained:
    """How many values went, and of how many snapshots the rows themselves are kept now."""

    values: int
    snapshots: int


@runtime_checkable
class Maintained(Protocol):
    """Maintenance; every method is safe while others read and write."""

    def compact(self) -> Retained:
        """Move all values into as few files as possible; values beyond the retention go."""
        ...

    def expire(self) -> Retained:
        """Let go the values of prediction logs that are older than their features' ttl, but each entity's newest."""
        ...

    def stats(self) -> Sequence[FeatureStats]:
        """Return the figures of each ingested feature, by name."""
        ...

    def losses(self) -> Sequence[Loss]:
        """Read everything, and return what is damaged or missing."""
        ...

    def forget(self, entity: str, entity_id: str) -> Forgotten:
        """Let all values of an entity go, and all traces of them.

        Raises:
            NotFound: the store has never seen it.
            TryLater: a file is damaged, or a reader holds old pages.
        """
        ...

    def retain(self, age: timedelta | None) -> None:
        """Set from which age on compaction lets values go; None for never."""
        ...

    def retention(self) -> timedelta | None:
        """Return the age from which on compaction lets values go; None for never."""
        ...

    def backup(self, target: Path) -> int:
        """Copy the store into a new directory and return the bytes. Raises Conflict if something is there."""
        ...

    def export(
        self, names: Sequence[str], directory: Path, kind: str, progress: Callable[[int], None]
    ) -> Sequence[Exported]:
        """Write features (none named: all) into files of a kind: parquet, csv or jsonl. Raises NotFound or Rejected."""
        ...

"""Training reads of the embedded store: point-in-time tables, kept under names that give the same table again."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from worker.adapters.features.embedded import catalogue, frames, history, snapshots
from worker.adapters.features.embedded.catalogue import Catalogue
from worker.adapters.features.embedded.database import Database
from worker.adapters.features.embedded.known import Known
from worker.adapters.features.embedded.segments.archive import Archive, Gone
from worker.adapters.features.embedded.snapshots import Snapshot
from worker.clock import Clock, to_us
from worker.errors import NotFound, Rejected, TryLater
from worker.features.naming import table_name
from worker.features.observed import Observed, observed
from worker.features.port import TrainingRequest
from worker.features.training import Table, build

Answer = TypeVar("Answer")

#: Each time a file was merged away between a transaction's beginning and its opening; the next one sees the new list.
_TRIES = 20


class Offline:
    """Reads log and segments; safe to share between threads."""

    def __init__(self, database: Database, known: Known, archive: Archive, clock: Clock) -> None:
        """Read nothing yet."""
        self._database = database
        self._known = known
        self._archive = archive
        self._clock = clock

    def training_table(self, request: TrainingRequest) -> tuple[str, Table]:
        """Return the point-in-time table for a request with its name, and keep what reproduces it. Raises Rejected."""

        def read(connection: sqlite3.Connection) -> tuple[str, Table, int, bool]:
            seen = self._catalogue(connection)
            (sequence,) = connection.execute("SELECT sequence FROM state").fetchone()
            stored = history.StoredHistory(connection, self._archive, seen.codes, sequence)
            table = build(request, seen.definitions, stored)
            name = table_name(request, table)
            return name, table, sequence, snapshots.kept(connection, name)

        name, table, sequence, known = self.viewing(read)
        if not known:
            with self._database.writing() as connection:
                snapshots.keep(connection, name, request, table, sequence, to_us(self._clock()))
        return name, table

    def values_at(self, request: TrainingRequest) -> Table:
        """Return the same table without keeping anything; what known-at takes is missing. Raises Rejected."""

        def read(connection: sqlite3.Connection) -> Table:
            seen = self._catalogue(connection)
            return build(request, seen.definitions, self._stored(connection, seen), strict=False)

        return self.viewing(read)

    def reproduce(self, snapshot_id: str) -> Table:
        """Return exactly the table that an earlier read answered with.

        Raises:
            NotFound: no read was kept under that id.
            Rejected: the stored values are no longer what they were (forgotten on demand, or a damaged file).
        """
        return self.viewing(lambda connection: self.table_of(connection, snapshot_id))

    def table_of(self, connection: sqlite3.Connection, snapshot_id: str) -> Table:
        """Do the same inside a transaction; what it lists may be gone, see `viewing`."""
        kept = snapshots.find(connection, snapshot_id)
        if kept.lost:
            raise Rejected(f"the snapshot {snapshot_id} cannot be reproduced: {kept.lost}", mend="read anew")
        table = self.answered(connection, kept)
        if kept.name_of(kept.request, table) != snapshot_id:
            raise Rejected(f"the values behind the snapshot {snapshot_id} have changed", mend="put back a copy")
        return table

    def answered(self, connection: sqlite3.Connection, kept: Snapshot, watch: history.Watch | None = None) -> Table:
        """Return a kept read's table out of what is stored, and tell `watch` what it touches."""
        if kept.answer is not None:
            return frames.unpack_table(kept.answer, kept.definitions)
        codes = self._catalogue(connection).codes
        then = {name: catalogue.at_version(connection, name, version) for name, version in kept.definitions.items()}
        gone = sorted(set(then) - set(codes))
        if gone:
            raise NotFound(f"the features {', '.join(gone)} were deleted since")
        stored = history.StoredHistory(connection, self._archive, codes, kept.sequence)
        stored.watch = watch
        return build(kept.request, then, stored)

    def count_labels(self, entity: str, label: str, known_after_us: int, known_by_us: int) -> int:
        """Return how many observations of `label` became known in (after, by] and were true by then.

        Raises:
            NotFound: the label is not defined.
            Rejected: it is a feature of another entity.
        """

        def count(connection: sqlite3.Connection) -> int:
            seen = self._catalogue(connection)
            definition = seen.get(label)
            if definition.entity != entity:
                raise Rejected(f"{label!r} is a feature of {definition.entity!r}, not of {entity!r}", field="label")
            code = seen.codes[label]
            return history.count_labels(connection, self._archive, code, known_after_us, known_by_us)

        return self.viewing(count)

    def observations(
        self, entity: str, feature: str, start_us: int, end_us: int, *, respect_known_at: bool
    ) -> Observed:
        """Return what was observed of a feature in [start, end), known by `end`.

        Raises:
            NotFound: the feature is not defined.
            Rejected: it is a feature of another entity, or computed.
        """

        def read(connection: sqlite3.Connection) -> Observed:
            seen = self._catalogue(connection)
            definition, stored = seen.get(feature), self._stored(connection, seen)
            return observed(definition, entity, stored, start_us, end_us, respect_known_at=respect_known_at)

        return self.viewing(read)

    def _stored(self, connection: sqlite3.Connection, seen: Catalogue) -> history.StoredHistory:
        (sequence,) = connection.execute("SELECT sequence FROM state").fetchone()
        return history.StoredHistory(connection, self._archive, seen.codes, sequence)

    def _catalogue(self, connection: sqlite3.Connection) -> Catalogue:
        return catalogue.current(connection, self._known.seen)

    def viewing(self, read: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Read in a transaction; again in a new one when a file was merged away before it could be opened.

        Raises:
            TryLater: a file is missing for good, or everything that reading raises.
        """
        for _ in range(_TRIES):
            with _absent() as absent, self._database.reading() as connection:
                return read(connection)
        mend = "`colony features verify` names all that is lost; put back a copy"
        raise TryLater(f"the feature store's file {self._archive.path(absent[-1])} is missing; {mend}")


@contextmanager
def _absent() -> Iterator[list[str]]:
    names: list[str] = []
    try:
        yield names
    except Gone as error:
        names.append(str(error))

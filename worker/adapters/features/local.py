"""The embedded feature store: one SQLite file under the data directory, for many processes on one machine.

What is written is on the disk when `write` returns. A value is kept in an append-only log under a write sequence, and
the newest of each feature in one packed row per entity; both change in one transaction. A training read sees one
state of the log, and a snapshot names that state by its last write sequence.

A value whose known-at is given is the same as one that has entity, feature, event time, known-at and value in common.
One without is known from now on, and changes nothing if that value already stands for its event time; going back to
an earlier value is a change.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from worker.adapters.features.embedded import catalogue, history, online, snapshots, writes
from worker.adapters.features.embedded.catalogue import Catalogue
from worker.adapters.features.embedded.database import Database
from worker.adapters.options import Options
from worker.clock import Clock, to_us
from worker.errors import Rejected, TryLater
from worker.features.definition import check_entity_id, time_us
from worker.features.port import ANYONE, Definition, Reader, Reading, TrainingRequest, TrainingTable, Write
from worker.features.training import build, table_name
from worker.features.usage import Counts

FILE_NAME = "features.sqlite"


class LocalFeatureStore:
    """Implements worker.features.port.FeatureStore in a directory; safe to share between threads."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        """Open the store, and create it if it is not there.

        Args:
            directory: where its files lie; made if missing.
            clock: what a value without a known-at of its own is stamped with.

        Raises:
            TryLater: the directory or the file cannot be used.
        """
        self._clock = clock
        self._database = Database(directory / FILE_NAME)
        self._catalogue = catalogue.NOTHING
        self.counts = Counts()

    def define(self, definition: Definition) -> Definition:
        """Store a definition and return it with its version; the same again changes and waits for nothing."""
        standing = self._refreshed().definitions.get(definition.name)
        if standing is not None and catalogue.same(standing, definition):
            return standing
        with self._database.writing() as connection:
            return catalogue.define(connection, definition)

    def definitions(self) -> Sequence[Definition]:
        """Return the newest version of each definition, by name."""
        with self._database.reading() as connection:
            return list(catalogue.current(connection, self._catalogue).definitions.values())

    def write(self, values: Iterable[Write]) -> int:
        """Store values durably, all or none, and return how many were new."""
        listed = list(values)
        if not listed:
            return 0
        seen = self._refreshed()
        checked = writes.check_all(listed, seen, to_us(self._clock()))
        with self._database.writing() as connection:
            now_us = to_us(self._clock())
            newest = catalogue.current(connection, seen)
            if newest is not seen:
                checked = writes.check_all(listed, newest, now_us)
            return writes.store(connection, checked, now_us)

    def _refreshed(self) -> Catalogue:
        with self._database.reading() as connection:
            self._catalogue = catalogue.current(connection, self._catalogue)
            return self._catalogue

    def read(
        self, entity_ids: Sequence[str], features: Sequence[str], *, now: datetime, reader: Reader = ANYONE
    ) -> Mapping[str, Mapping[str, Reading]]:
        """Return the newest value of each feature for each entity, as of `now` for expiry.

        Raises:
            Rejected: something that is not an entity id.
            NotFound: a feature that is not defined.
        """
        for entity_id in entity_ids:
            check_entity_id(entity_id)
        now_us = time_us(now, "now")
        with self._database.reading() as connection:
            self._catalogue = catalogue.current(connection, self._catalogue)
            answer = online.read(connection, self._catalogue, entity_ids, features, now_us)
        self.counts.add(features, len(entity_ids), reader, now)
        return answer

    def training_read(self, request: TrainingRequest, *, reader: Reader = ANYONE) -> TrainingTable:
        """Return the point-in-time table for a request, and keep what reproduces it."""
        with self._database.reading() as connection:
            seen = catalogue.current(connection, self._catalogue)
            (sequence,) = connection.execute("SELECT sequence FROM state").fetchone()
            table = build(request, seen.definitions, history.SqlHistory(connection, seen.codes, sequence))
            name = table_name(request, table)
            known = snapshots.kept(connection, name)
        if not known:
            with self._database.writing() as connection:
                snapshots.keep(connection, name, request, table, sequence, to_us(self._clock()))
        self.counts.add(request.features, len(table.entity_ids), reader, self._clock())
        return table.named(name)

    def reproduce(self, snapshot_id: str) -> TrainingTable:
        """Return exactly the table that an earlier read answered with.

        Raises:
            NotFound: no read was kept under that id.
            Rejected: the stored values are no longer what they were (a damaged file).
        """
        with self._database.reading() as connection:
            kept = snapshots.find(connection, snapshot_id)
            seen = catalogue.current(connection, self._catalogue)
            then = {name: catalogue.at_version(connection, name, version) for name, version in kept.definitions.items()}
            table = build(kept.request, then, history.SqlHistory(connection, seen.codes, kept.sequence))
        if table_name(kept.request, table) != snapshot_id:
            raise Rejected(f"the values behind the snapshot {snapshot_id} have changed", mend="put back a copy")
        return table.named(snapshot_id)

    def count_labels(self, entity: str, label: str, *, known_after: datetime, known_by: datetime) -> int:
        """Return how many observations of `label` became known in (known_after, known_by] and were true by then.

        An observation is one entity at one event time; one that was corrected in that time counts, once.

        Raises:
            NotFound: the label is not defined.
            Rejected: it is a feature of another entity.
        """
        after_us, by_us = time_us(known_after, "knownAfter"), time_us(known_by, "knownBy")
        with self._database.reading() as connection:
            seen = catalogue.current(connection, self._catalogue)
            definition = seen.get(label)
            if definition.entity != entity:
                raise Rejected(f"{label!r} is a feature of {definition.entity!r}, not of {entity!r}", field="label")
            return history.count_labels(connection, seen.codes[label], after_us, by_us)

    def verify(self) -> None:
        """Make a real write and read. Raises TryLater with the mend."""
        token = secrets.token_hex(16)
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO probe VALUES (1, ?)", (token,))
            read = connection.execute("SELECT token FROM probe").fetchone()
        if read != (token,):
            raise TryLater("the feature store did not give back what was written to it; check the disk")

    def close(self) -> None:
        """Release files and connections."""
        self._database.close()


def from_options(options: Options) -> LocalFeatureStore:
    """Return the store under the data directory."""
    return LocalFeatureStore(options.home / "features", options.clock)

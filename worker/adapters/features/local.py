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

from worker.adapters.features.embedded import catalogue, counting, removal
from worker.adapters.features.embedded.bulk import Bulk
from worker.adapters.features.embedded.care.caretaker import Caretaker
from worker.adapters.features.embedded.counting import Counter
from worker.adapters.features.embedded.database import Database
from worker.adapters.features.embedded.known import Known
from worker.adapters.features.embedded.offline import Offline
from worker.adapters.features.embedded.online import Answer
from worker.adapters.features.embedded.reader import OnlineReader
from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.upkeep import Upkeep
from worker.adapters.features.embedded.writer import Writer
from worker.adapters.options import Options
from worker.clock import Clock, to_us
from worker.errors import Conflict, TryLater
from worker.features.bulk import Batch, Stored
from worker.features.definition import check_entity_id, time_us
from worker.features.observed import Observed
from worker.features.port import (
    ANYONE,
    Access,
    Definition,
    FeatureFacts,
    Reader,
    Reading,
    TrainingRequest,
    TrainingTable,
    Usage,
    Write,
)
from worker.features.training import Table
from worker.features.usage import summed

FILE_NAME = "features.sqlite"
SEGMENTS = "segments"


class LocalFeatureStore:
    """Implements worker.features.port.FeatureStore in a directory; safe to share between threads."""

    def __init__(self, directory: Path, clock: Clock, *, sync: str = "full") -> None:
        """Open the store, and create it if it is not there.

        Args:
            directory: where its files lie; made if missing.
            clock: what a value without a known-at of its own is stamped with.
            sync: `full`, and an acknowledged write survives a power cut; `normal`, and it survives only a kill.

        Raises:
            TryLater: the directory or the file cannot be used.
        """
        self._clock = clock
        self._database = Database(directory / FILE_NAME, sync=sync)
        self._known = Known(self._database)
        self._counter = Counter(self._database, clock)
        self._archive = Archive(directory / SEGMENTS)
        self._upkeep = Upkeep(self._database, self._archive)
        self._writer = Writer(self._database, self._known, clock, self._archive, self._upkeep)
        self._bulk = Bulk(self._database, self._known, self._archive, self._upkeep, clock)
        self._offline = Offline(self._database, self._known, self._archive, clock)
        #: Compaction, export, verification, deletion on demand, retention, backup.
        self.care = Caretaker(self._database, self._known, self._archive, self._upkeep, self._offline, clock)
        self._reader = OnlineReader(self._database, self._known, self._compute)

    def instant(self, features: Sequence[str]) -> bool:
        """Tell whether a read of these takes microseconds: of what is stored and was read before.

        In WAL mode a reader never waits for a writer.
        """
        plan = self._known.seen.plans.get(tuple(features))
        return plan is not None and not plan.computed

    def define(self, definition: Definition) -> Definition:
        """Store a definition and return it with its version; the same again changes and waits for nothing."""
        standing = self._known.refreshed().definitions.get(definition.name)
        if standing is not None and catalogue.same(standing, definition):
            return standing
        with self._database.writing() as connection:
            return catalogue.define(connection, definition)

    def definitions(self) -> Sequence[Definition]:
        """Return the newest version of each definition, by name."""
        with self._database.reading() as connection:
            return list(catalogue.current(connection, self._known.seen).definitions.values())

    def versions(self, name: str) -> Sequence[Definition]:
        """Return every version of one definition, oldest first. Raises NotFound."""
        with self._database.reading() as connection:
            catalogue.current(connection, self._known.seen).get(name)
            return catalogue.versions(connection, name)

    def delete(self, name: str) -> None:
        """Delete a feature with all its values; its versions are never given again.

        It is gone for every process when this returns; what it left in segments goes with the next compaction.

        Raises:
            NotFound: it is not defined.
            Conflict: a computed feature needs it.
        """
        from worker.features.computed.inputs import users_of

        # What was read of it goes with it, and does not count for a feature of the same name afterwards.
        self._counter.flush()
        with self._database.writing() as connection:
            seen = catalogue.current(connection, self._known.seen)
            definition = seen.get(name)
            needed_by = users_of(name, seen.definitions.values())
            if needed_by:
                raise Conflict(f"{name!r} cannot be deleted: {', '.join(needed_by)} would have nothing to compute from")
            removal.retire(connection, definition, seen.codes[name], to_us(self._clock()))
        removal.clear(self._database)

    def facts(self) -> Sequence[FeatureFacts]:
        """Return how many values each ingested feature has and how new they are, by name."""
        with self._database.reading() as connection:
            definitions = catalogue.current(connection, self._known.seen).definitions
            return counting.facts(connection, [one.name for one in definitions.values() if one.source == "ingested"])

    def usage(self) -> Sequence[Usage]:
        """Return how often each feature was read, by name and reader: what is kept, and what this process counted."""
        with self._database.reading() as connection:
            defined = catalogue.current(connection, self._known.seen).definitions
            kept = counting.kept(connection)
        return summed([*kept, *(usage for usage in self._counter.counts.usages() if usage.feature in defined)])

    def take_accesses(self, until: datetime) -> Sequence[Access]:
        """Return, once and to one caller only, what was read in the minutes that ended by `until`."""
        with self._database.writing() as connection:
            return counting.take_accesses(connection, until)

    def write(self, values: Iterable[Write]) -> int:
        """Store values durably, all or none, and return how many were new.

        Threads that write at the same time share one transaction and its wait for the disk.
        """
        return self._writer.write(values)

    def write_columns(self, entity: str, batch: Batch) -> Stored:
        """Store many rows of columns durably, each whole or not at all; the same value again changes nothing."""
        return self._bulk.write(entity, batch)

    def tidy(self) -> None:
        """Keep segments few and the log short, as writing itself does every now and then."""
        self._upkeep.tidy()

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
        if type(now) is not datetime or now.tzinfo is None:
            time_us(now, "now")
        names = tuple(features)
        answer = self._reader.read(entity_ids, names, now)
        self._counter.add(names, len(entity_ids), reader, now)
        return answer

    def _compute(self, ids: Sequence[str], names: Sequence[str], now: datetime) -> Answer:
        """Read with computed features among the names; what computes is loaded by the first that needs it."""
        from worker.adapters.features.embedded.computing import ComputedReader

        return ComputedReader(self._known, self._offline, self._archive).read(ids, names, now)

    def training_read(self, request: TrainingRequest, *, reader: Reader = ANYONE) -> TrainingTable:
        """Return the point-in-time table for a request, and keep what reproduces it."""
        name, table = self.training_table(request, reader=reader)
        return table.named(name)

    def training_table(self, request: TrainingRequest, *, reader: Reader = ANYONE) -> tuple[str, Table]:
        """Return the same as columns, with its snapshot id: for a table of millions of rows."""
        name, table = self._offline.training_table(request)
        self._counter.add(tuple(request.features), len(table.spine), reader, self._clock())
        return name, table

    def values_at(self, request: TrainingRequest, *, reader: Reader = ANYONE) -> Table:
        """Return a point-in-time table as columns, of which nothing is kept; what known-at takes is missing."""
        table = self._offline.values_at(request)
        self._counter.add(tuple(request.features), len(table.spine), reader, self._clock())
        return table

    def reproduce(self, snapshot_id: str) -> TrainingTable:
        """Return exactly the table that an earlier read answered with.

        Raises:
            NotFound: no read was kept under that id.
            Rejected: the stored values are no longer what they were (forgotten on demand, or a damaged file).
        """
        return self.reproduce_table(snapshot_id).named(snapshot_id)

    def reproduce_table(self, snapshot_id: str) -> Table:
        """Return the same as columns. Raises NotFound or Rejected."""
        return self._offline.reproduce(snapshot_id)

    def count_labels(self, entity: str, label: str, *, known_after: datetime, known_by: datetime) -> int:
        """Return how many observations of `label` became known in (known_after, known_by] and were true by then.

        An observation is one entity at one event time; one that was corrected in that time counts, once.

        Raises:
            NotFound: the label is not defined.
            Rejected: it is a feature of another entity.
        """
        after_us, by_us = time_us(known_after, "knownAfter"), time_us(known_by, "knownBy")
        return self._offline.count_labels(entity, label, after_us, by_us)

    def observations(
        self, entity: str, feature: str, *, start: datetime, end: datetime, respect_known_at: bool = True
    ) -> Observed:
        """Return what was observed of a feature with event time in [start, end), known by `end`."""
        start_us, end_us = time_us(start, "start"), time_us(end, "end")
        return self._offline.observations(entity, feature, start_us, end_us, respect_known_at=respect_known_at)

    def verify(self) -> None:
        """Make a real write and read. Raises TryLater with the mend."""
        token = secrets.token_hex(16)
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO probe VALUES (1, ?)", (token,))
            read = connection.execute("SELECT token FROM probe").fetchone()
        if read != (token,):
            raise TryLater("the feature store did not give back what was written to it; check the disk")

    def close(self) -> None:
        """Keep what was counted, and release files and connections."""
        self._counter.close()
        self._upkeep.finish()
        self._database.close()


def from_options(options: Options) -> LocalFeatureStore:
    """Return the store under the data directory."""
    sync = str(options.values.get("features_sync", "full"))
    return LocalFeatureStore(options.home / "features", options.clock, sync=sync)

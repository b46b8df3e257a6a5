"""The feature store on Google Cloud: history and definitions in BigQuery, online reads by Feature Views.

Definitions are changed by `define` alone, never at boot; what a write stores has a write sequence, and a training read
sees everything up to one. Writes have the meaning of the embedded store's: a value whose known-at is given is the same
as one that has entity, feature, event time, known-at and value in common; one without is known from now on, and changes
nothing if that value already stands for its event time.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from worker.adapters.features.google.catalogue import Catalogue
from worker.adapters.features.google.checking import Checked
from worker.adapters.features.google.counting import Counter
from worker.adapters.features.google.definitions import Definitions
from worker.adapters.features.google.direct import DirectWriter
from worker.adapters.features.google.online import Following, NewestValues, OnlineReader, SqlNewest
from worker.adapters.features.google.sql import probing
from worker.adapters.features.google.training import Training
from worker.adapters.features.google.warehouse import Param, Warehouse
from worker.adapters.features.google.writer import Writer
from worker.clock import Clock, to_us
from worker.errors import TryLater
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

#: How old the definitions may be that an online read from a view goes by, and a look at how fresh views are.
READ_KNOWN_S = 30.0
FRESHNESS_KNOWN_S = 600.0


class GoogleFeatureStore:
    """Implements worker.features.port.FeatureStore over a warehouse; safe to share between threads."""

    def __init__(
        self,
        warehouse: Warehouse,
        clock: Clock,
        *,
        values: NewestValues | None = None,
        direct: DirectWriter | None = None,
    ) -> None:
        """Open the store; nothing is read or made before it is asked.

        Args:
            warehouse: where the tables are.
            clock: what a value without a known-at of its own is stamped with.
            values: where online reads find the newest values; None for the warehouse itself.
            direct: puts what was written into the views at once, if it is wanted.
        """
        self._direct = direct
        self._warehouse = warehouse
        self._clock = clock
        self._values = values or SqlNewest(warehouse)
        self._definitions = Definitions(warehouse)
        self._counter = Counter(warehouse, clock)
        self._writer = Writer(warehouse, self._definitions, clock)
        self._training = Training(warehouse, self._definitions, clock)
        self._online = OnlineReader(warehouse, self._values)

    def instant(self, features: Sequence[str]) -> bool:  # noqa: ARG002 - the port's
        """Every read goes over a network."""
        return False

    def define(self, definition: Definition) -> Definition:
        """Store a definition and return it with its version; the same again changes nothing."""
        return self._definitions.define(definition)

    def definitions(self) -> Sequence[Definition]:
        """Return the newest version of each definition, by name."""
        seen = self._definitions.refreshed().definitions
        return [seen[name] for name in sorted(seen)]

    def versions(self, name: str) -> Sequence[Definition]:
        """Return every version of one definition, oldest first. Raises NotFound."""
        seen = self._definitions.refreshed()
        seen.get(name)
        return list(seen.versions[name])

    def delete(self, name: str) -> None:
        """Delete a feature with all its values; its versions are never given again. Raises NotFound, Conflict."""
        # What was read of it goes with it, and does not count for a feature of the same name afterwards.
        self._counter.flush()
        self._definitions.delete(name)

    def facts(self) -> Sequence[FeatureFacts]:
        """Return how many values each ingested feature has and how new they are, by name."""
        return self._counter.facts([one.name for one in self.definitions() if one.source == "ingested"])

    def usage(self) -> Sequence[Usage]:
        """Return how often each feature was read, by name and reader: what is kept, and what this process counted."""
        defined = self._definitions.refreshed().definitions
        counted = (usage for usage in self._counter.counts.usages() if usage.feature in defined)
        return summed([*self._counter.kept(), *counted])

    def take_accesses(self, until: datetime) -> Sequence[Access]:
        """Return, once and to one caller only, what was read in the minutes that ended by `until`."""
        return self._counter.take_accesses(until)

    def write(self, values: Iterable[Write]) -> int:
        """Store values durably, all or none, and return how many were new."""
        checked, new = self._writer.store(values)
        if self._direct is not None:
            self._put(self._direct, checked)
        return new

    def write_columns(self, entity: str, batch: Batch) -> Stored:
        """Store many rows of columns durably, each whole or not at all; the same value again changes nothing.

        They are loaded as a table first. Views get them by their sync, whatever the setting of direct writes.
        """
        return self._writer.write_columns(entity, batch)

    def tidy(self) -> None:
        """There is nothing to put in order: BigQuery does that by itself."""

    def _put(self, direct: DirectWriter, checked: Iterable[Checked]) -> None:
        seen = self._definitions.seen
        ids: dict[str, dict[str, None]] = {}
        names: dict[str, dict[str, None]] = {}
        for one in checked:
            ids.setdefault(one.definition.entity, {})[one.id] = None
            names.setdefault(one.definition.entity, {})[one.definition.name] = None
        for entity, held in ids.items():
            direct.put(list(held), [seen.stored(seen.get(name)) for name in names[entity]])

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
        time_us(now, "now")
        answer = self._definitions.steadily(lambda: self._online.read(self._known(features), entity_ids, features, now))
        self._counter.add(tuple(features), len(entity_ids), reader, now)
        return answer

    def _known(self, features: Sequence[str]) -> Catalogue:
        """Return the definitions for an online read: from BigQuery they cost as much as the values do."""
        if isinstance(self._values, Following):
            return self._definitions.recent(features, READ_KNOWN_S)
        return self._definitions.refreshed()

    def freshness(self, now: datetime) -> Mapping[str, float]:
        """Return how many seconds each entity's view is behind; nothing where online reads come from BigQuery."""
        if not isinstance(self._values, Following):
            return {}
        seen = self._definitions.recent((), FRESHNESS_KNOWN_S).definitions.values()
        entities = sorted({one.entity for one in seen if one.source == "ingested"})
        return self._values.freshness(entities, now)

    def training_read(self, request: TrainingRequest, *, reader: Reader = ANYONE) -> TrainingTable:
        """Return the point-in-time table for a request, and keep what reproduces it."""
        name, table = self.training_table(request, reader=reader)
        return table.named(name)

    def training_table(self, request: TrainingRequest, *, reader: Reader = ANYONE) -> tuple[str, Table]:
        """Return the same as columns, with its snapshot id."""
        name, table = self._training.table(request)
        self._counter.add(tuple(request.features), len(table.spine), reader, self._clock())
        return name, table

    def values_at(self, request: TrainingRequest, *, reader: Reader = ANYONE) -> Table:
        """Return a point-in-time table as columns, of which nothing is kept; what known-at takes is missing."""
        table = self._training.values_at(request)
        self._counter.add(tuple(request.features), len(table.spine), reader, self._clock())
        return table

    def reproduce(self, snapshot_id: str) -> TrainingTable:
        """Return exactly the table that an earlier read answered with. Raises NotFound or Rejected."""
        return self.reproduce_table(snapshot_id).named(snapshot_id)

    def reproduce_table(self, snapshot_id: str) -> Table:
        """Return the same as columns. Raises NotFound or Rejected."""
        return self._training.reproduce(snapshot_id)

    def count_labels(self, entity: str, label: str, *, known_after: datetime, known_by: datetime) -> int:
        """Return how many observations of `label` became known in (known_after, known_by] and were true by then."""
        after_us, by_us = time_us(known_after, "knownAfter"), time_us(known_by, "knownBy")
        return self._training.count_labels(entity, label, after_us, by_us)

    def observations(
        self, entity: str, feature: str, *, start: datetime, end: datetime, respect_known_at: bool = True
    ) -> Observed:
        """Return what was observed of a feature with event time in [start, end), known by `end`."""
        start_us, end_us = time_us(start, "start"), time_us(end, "end")
        return self._training.observations(entity, feature, start_us, end_us, respect_known_at=respect_known_at)

    def verify(self) -> None:
        """Make a real write and read. Raises TryLater or Rejected with the mend."""
        name, token = self._warehouse.name, secrets.token_hex(16)
        params = [Param("token", "STRING", token), Param("now", "INT64", to_us(self._clock()))]
        if self._warehouse.transact([probing.write(name)], probing.read(name), params) != [(token,)]:
            raise TryLater("the feature store did not give back what was written to it")

    def close(self) -> None:
        """Keep what was counted, and release connections."""
        self._counter.close()
        self._values.close()
        self._warehouse.close()

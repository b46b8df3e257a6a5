"""The rows that a monitor looks at, through the feature store's port: those with labels, and those that were seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from worker.bee import BeeSpec
from worker.clock import from_us, to_us
from worker.errors import Rejected
from worker.features.columns import Column, id_array
from worker.features.port import ANYONE, FeatureStore, LabelWindow, Reader, TrainingRequest, TrainingTable
from worker.features.spine import Spine
from worker.features.training import Table
from worker.monitor.period import Period


@runtime_checkable
class Columnar(Protocol):
    """A store that answers a training read in columns, too."""

    def training_table(self, request: TrainingRequest, *, reader: Reader = ANYONE) -> tuple[str, Table]:
        """Return the snapshot's id and the table. Raises Rejected."""
        ...


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a table, by their places in it; a column is taken out of it when it is asked for."""

    table: Table
    kept: NDArray[np.intp]

    @classmethod
    def of(cls, table: Table) -> "Rows":
        """Return all rows of a table."""
        return cls(table, np.arange(len(table.spine)))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.kept)

    @property
    def times_us(self) -> NDArray[np.int64]:
        """When each was, in microseconds since 1970."""
        return self.table.spine.times_us[self.kept]

    @property
    def spine(self) -> Spine:
        """Entity ids and times."""
        return Spine(self.table.spine.ids.take(self.kept), self.times_us)

    @property
    def entities(self) -> set[str]:
        """The entities that there are."""
        return set(self.table.spine.ids.take(self.kept).to_pylist())

    @property
    def distinct(self) -> int:
        """How many entities there are."""
        from pyarrow import compute as pc

        return int(pc.count_distinct(self.spine.ids).as_py())

    @property
    def first(self) -> datetime | None:
        """The time of the earliest, None without any."""
        return from_us(int(self.times_us.min())) if len(self) else None

    @property
    def last(self) -> datetime | None:
        """The time of the latest, None without any."""
        return from_us(int(self.times_us.max())) if len(self) else None

    def within(self, start: datetime, end: datetime | None = None) -> "Rows":
        """Return the rows from `start` on, up to but not including `end`."""
        times = self.times_us
        inside = times >= to_us(start)
        return Rows(self.table, self.kept[inside if end is None else inside & (times < to_us(end))])

    def of_period(self, period: Period) -> "Rows":
        """Return the rows of a period."""
        return self.within(period.start, period.end)

    def every(self, most: int) -> "Rows":
        """Return at most so many rows, evenly out of all."""
        return Rows(self.table, self.kept[:: max(1, -(-len(self) // most))])

    def column(self, name: str, type_: str) -> Column:
        """Return a column, empty of values where the table has none."""
        found = self.table.columns.get(name)
        return Column.empty(type_, len(self)) if found is None else found.take(self.kept)

    def parts(self, size: int) -> Iterator["Rows"]:
        """Return the rows in pieces of so many."""
        for first in range(0, len(self), size):
            yield Rows(self.table, self.kept[first : first + size])

    def lists(self, names: Sequence[str]) -> dict[str, list[Any]]:
        """Return columns as Python values, None where there is none."""
        return {name: self.column(name, "string").tolist() for name in names}


@dataclass(frozen=True)
class Seen:
    """What the store had of a bee by a time.

    Attributes:
        labelled: rows with a label, and their features.
        entities: entities with their times, as their features came in, whether labelled or not.
    """

    labelled: Rows
    entities: Rows


@dataclass(frozen=True)
class Reading:
    """Reads one bee's rows; what was not known by `as_of` is not there."""

    store: FeatureStore
    bee: BeeSpec
    as_of: datetime

    def seen(self, start: datetime) -> Seen:
        """Return what happened from `start` on. Raises Rejected: a feature that nothing was known of in time."""
        anchor = self._anchor()
        return Seen(self._labelled(start), self._observed(anchor, start) if anchor else no_rows())

    def observed(self, start: datetime) -> Rows:
        """Return entities with their times from `start` on, as their features came in; nothing is kept of it."""
        anchor = self._anchor()
        if anchor is None:
            return no_rows()
        return values_in(self.store, self._request((), label=LabelWindow(anchor, start, self.as_of)), self._reader)

    def values_of(self, entities: Rows) -> Rows:
        """Return the features of rows whose entities and times are known; nothing is kept of it. Raises Rejected."""
        request = self._request(self.bee.features, spine=entities.spine)
        return values_in(self.store, request, self._reader) if len(entities) else no_rows()

    def features_of(self, entities: Rows) -> Rows:
        """Return the features of rows whose entities and times are known. Raises Rejected."""
        return self._read(self._request(self.bee.features, spine=entities.spine)) if len(entities) else no_rows()

    def trained_on(self, snapshot_id: str) -> Rows:
        """Return the rows of a snapshot. Raises NotFound."""
        return Rows.of(_columns(self.store, self.store.reproduce(snapshot_id)))

    def _labelled(self, start: datetime) -> Rows:
        window = LabelWindow(self.bee.label, start, self.as_of)
        try:
            return self._read(self._request(self.bee.features, label=window))
        except Rejected as error:
            # That nothing is known yet is no fault; that something is and no feature of it is one.
            if error.field != "respectKnownAt" or len(self._observed(self.bee.label, start)):
                raise
            return no_rows()

    def _observed(self, feature: str, start: datetime) -> Rows:
        try:
            return self._read(self._request((), label=LabelWindow(feature, start, self.as_of)))
        except Rejected as error:
            if error.field != "respectKnownAt":
                raise
            return no_rows()

    def _request(self, features: Sequence[str], **rows: Any) -> TrainingRequest:
        bee = self.bee
        entities = bee.entities if features else {}
        return TrainingRequest(bee.entity, tuple(features), entities, respect_known_at=bee.respect_known_at, **rows)

    def _read(self, request: TrainingRequest) -> Rows:
        return read_rows(self.store, request, self._reader)

    @property
    def _reader(self) -> Reader:
        return Reader(f"monitor:{self.bee.bee}", "batch")

    def _anchor(self) -> str | None:
        """Return the feature that tells when an entity was seen: the first of its own that is stored."""
        defined = {item.name: item for item in self.store.definitions()}
        own = (
            name
            for name in self.bee.features
            if name in defined and defined[name].entity == self.bee.entity and defined[name].source == "ingested"
        )
        return next(own, None)


def read_rows(store: FeatureStore, request: TrainingRequest, reader: Reader) -> Rows:
    """Return the rows of a training read, in columns where the store can. Raises Rejected."""
    if isinstance(store, Columnar):
        return Rows.of(store.training_table(request, reader=reader)[1])
    return Rows.of(_columns(store, store.training_read(request, reader=reader)))


def values_in(store: FeatureStore, request: TrainingRequest, reader: Reader) -> Rows:
    """Return the rows of a read of which nothing is kept, none where nothing was known in time. Raises Rejected."""
    try:
        return Rows.of(store.values_at(request, reader=reader))
    except Rejected as error:
        if error.field != "respectKnownAt":
            raise
        return no_rows()


def no_rows() -> Rows:
    """Return no rows of no columns."""
    return Rows.of(Table(Spine(id_array([]), np.empty(0, np.int64)), {}, {}))


def _columns(store: FeatureStore, table: TrainingTable) -> Table:
    types = {item.name: item.type for item in store.definitions()}
    columns = {name: Column.of(types.get(name, "string"), values) for name, values in table.columns.items()}
    times = np.fromiter((to_us(time) for time in table.times), np.int64, len(table.times))
    return Table(Spine(id_array(list(table.entity_ids)), times), columns, dict(table.definitions))

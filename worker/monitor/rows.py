"""The rows that a monitor looks at, through the feature store's port: those with labels, and those that were seen."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from worker.bee import BeeSpec
from worker.errors import Rejected
from worker.features.port import FeatureStore, LabelWindow, Reader, TrainingRequest, TrainingTable
from worker.monitor.period import Period


@dataclass(frozen=True)
class Rows:
    """Rows by time; `columns` has each feature, and the label where it is known, None where there is no value."""

    entity_ids: Sequence[str] = ()
    times: Sequence[datetime] = ()
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.times)

    def within(self, period: Period) -> "Rows":
        """Return the rows of a period."""
        kept = [row for row, time in enumerate(self.times) if period.start <= time < period.end]
        return self.take(kept)

    def take(self, kept: Sequence[int]) -> "Rows":
        """Return the rows at these places."""
        return Rows(
            [self.entity_ids[row] for row in kept],
            [self.times[row] for row in kept],
            {name: [values[row] for row in kept] for name, values in self.columns.items()},
        )


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
        entities = self._observed(anchor, start) if anchor else Rows()
        return Seen(self._labelled(start), entities)

    def features_of(self, entities: Rows) -> Rows:
        """Return the features of rows whose entities and times are known. Raises Rejected."""
        if not len(entities):
            return Rows(columns=dict.fromkeys(self.bee.features, ()))
        spine = tuple(zip(entities.entity_ids, entities.times, strict=True))
        return _rows(self._read(self._request(self.bee.features, spine=spine)))

    def trained_on(self, snapshot_id: str) -> Rows:
        """Return the rows of a snapshot. Raises NotFound."""
        return _rows(self.store.reproduce(snapshot_id))

    def _labelled(self, start: datetime) -> Rows:
        window = LabelWindow(self.bee.label, start, self.as_of)
        try:
            return _rows(self._read(self._request(self.bee.features, label=window)))
        except Rejected as error:
            # That nothing is known yet is no fault; that something is and no feature of it is one.
            if error.field != "respectKnownAt" or self._observed(self.bee.label, start):
                raise
            return Rows(columns=dict.fromkeys((*self.bee.features, self.bee.label), ()))

    def _observed(self, feature: str, start: datetime) -> Rows:
        try:
            return _rows(self._read(self._request((), label=LabelWindow(feature, start, self.as_of))))
        except Rejected as error:
            if error.field != "respectKnownAt":
                raise
            return Rows()

    def _request(self, features: Collection[str], **rows: Any) -> TrainingRequest:
        bee = self.bee
        entities = bee.entities if features else {}
        return TrainingRequest(bee.entity, tuple(features), entities, respect_known_at=bee.respect_known_at, **rows)

    def _read(self, request: TrainingRequest) -> TrainingTable:
        return self.store.training_read(request, reader=Reader(f"monitor:{self.bee.bee}", "batch"))

    def _anchor(self) -> str | None:
        """Return the feature that tells when an entity was seen: the first of its own that is stored."""
        defined = {item.name: item for item in self.store.definitions()}
        own = (
            name
            for name in self.bee.features
            if name in defined and defined[name].entity == self.bee.entity and defined[name].source == "ingested"
        )
        return next(own, None)


def _rows(table: TrainingTable) -> Rows:
    return Rows(table.entity_ids, table.times, table.columns)

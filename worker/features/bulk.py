"""Many rows at once as columns: how an import hands values to a store that can take them so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

import numpy as np

from worker.features.columns import Bools, Column, Ints
from worker.features.definition import MAX_AHEAD
from worker.features.port import Definition, Value
from worker.features.spine import Spine

_AHEAD_US = MAX_AHEAD // timedelta(microseconds=1)


@dataclass(frozen=True)
class Cells:
    """One feature's values of some rows: those that are `present`, NULL among them where the column is not valid."""

    column: Column
    present: Bools

    def take(self, rows: Any) -> "Cells":
        """Return some rows, by index or mask."""
        return Cells(self.column.take(rows), self.present[rows])

    def put(self, row: int, value: Value) -> None:
        """Set one row's value."""
        self.present[row], self.column.valid[row] = True, value is not None
        if value is not None:
            self.column.values[row] = value

    @classmethod
    def together(cls, pieces: Sequence["Cells"]) -> "Cells":
        """Return the rows of several, one after the other."""
        values = np.concatenate([piece.column.values for piece in pieces])
        valid = np.concatenate([piece.column.valid for piece in pieces])
        present = np.concatenate([piece.present for piece in pieces])
        return cls(Column(pieces[0].column.type, values, valid), present)


@dataclass(frozen=True)
class Batch:
    """Rows of values of one kind of entity, in the order in which they count as written.

    Attributes:
        rows: whose values, and of which event time.
        known_us: when they became known, None for the time at which they are stored.
        features: feature -> its values.
    """

    rows: Spine
    known_us: Ints | None
    features: Mapping[str, Cells]

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.rows)

    @property
    def values(self) -> Ints:
        """How many values each row has."""
        counts = np.zeros(len(self), np.int64)
        for cells in self.features.values():
            counts += cells.present
        return counts

    def take(self, rows: Any) -> "Batch":
        """Return some rows: a slice or an index."""
        known_us = None if self.known_us is None else self.known_us[rows]
        ids = self.rows.ids[rows] if isinstance(rows, slice) else self.rows.ids.take(rows)
        features = {name: cells.take(rows) for name, cells in self.features.items()}
        return Batch(Spine(ids, self.rows.times_us[rows]), known_us, features)


@dataclass(frozen=True)
class Stored:
    """What became of a batch.

    Attributes:
        new: how many values were new.
        refused: rows of which nothing was stored; stored one by one they are told the reason.
    """

    new: int
    refused: Bools


@runtime_checkable
class BulkStore(Protocol):
    """A feature store that takes columns."""

    def write_columns(self, entity: str, batch: Batch) -> Stored:
        """Store rows durably, each whole or not at all; the same value again changes nothing."""
        ...

    def tidy(self) -> None:
        """Put in order what many batches have left in pieces."""
        ...


def refused_rows(entity: str, batch: Batch, definitions: Mapping[str, Definition], now_us: int) -> Bools:
    """Return the rows that are not plainly right: ahead of the clock, out of a range, of features that do not fit."""
    refused: Bools = batch.rows.times_us - now_us > _AHEAD_US
    if batch.known_us is not None:
        refused = refused | (batch.known_us - now_us > _AHEAD_US)
    for name, cells in batch.features.items():
        definition = definitions.get(name)
        if definition is None or not _fits(definition, entity, cells):
            return np.ones(len(batch), np.bool_)
        refused = refused | _outside(definition, cells)
    return refused


def _fits(definition: Definition, entity: str, cells: Cells) -> bool:
    right = (entity, cells.column.type, "ingested")
    return (definition.entity, definition.type, definition.source) == right


def _outside(definition: Definition, cells: Cells) -> Bools:
    outside = np.zeros(len(cells.present), np.bool_)
    for bound, beyond in ((definition.minimum, np.less), (definition.maximum, np.greater)):
        if bound is not None:
            outside |= cells.present & cells.column.valid & beyond(cells.column.values, bound)
    return outside

"""What drift needs of one column: its numbers sorted, or its categories counted, and how many values are missing."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from worker.features.columns import Column

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Summary:
    """One column of one period.

    Attributes:
        rows: how many there were, with and without a value.
        numbers: the values, sorted; None for categories.
        categories: text of the value -> rows; of what is not a number.
    """

    rows: int
    numbers: Floats | None = None
    categories: Mapping[str, int] = field(default_factory=dict)

    @property
    def known(self) -> int:
        """How many rows have a value."""
        return sum(self.categories.values()) if self.numbers is None else len(self.numbers)

    @property
    def missing(self) -> int:
        """How many rows have none."""
        return self.rows - self.known


@dataclass(frozen=True, eq=False)
class Side:
    """One feature in one period.

    Attributes:
        entities, seen: how many entities have a value, and how many were seen by any feature of the same entity.
        newest: its newest event until the period's end, None if there is none.
        counted: how many values came in, where `values` has fewer: they are made of a profile.
    """

    values: Summary
    entities: int
    seen: int
    newest: datetime | None = None
    counted: int | None = None

    @property
    def count(self) -> int:
        """How many values came in."""
        return self.values.known if self.counted is None else self.counted


def summed_up(column: Column) -> Summary:
    """Return the summary of a column; a vector counts as the number that is its length."""
    values = column.values[column.valid]
    if column.type == "number":
        numbers = values.astype(np.float64, copy=False)
        return Summary(len(column.valid), np.sort(numbers[np.isfinite(numbers)]))
    if column.type == "vector":
        lengths = [float(np.linalg.norm(np.asarray(value, dtype=np.float64))) for value in values]
        return Summary(len(column.valid), np.sort(np.array(lengths, dtype=np.float64)))
    counts = Counter(values.tolist())
    return Summary(len(column.valid), categories={str(value): rows for value, rows in counts.items()})

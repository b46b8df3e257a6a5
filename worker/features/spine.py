"""The rows of a training read as columns: entity ids and times; a table of a million rows without a million objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from worker.clock import to_us
from worker.errors import Rejected
from worker.features.columns import id_array
from worker.features.definition import time_us

FIRST_US = to_us(datetime.min.replace(tzinfo=UTC))
LAST_US = to_us(datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, eq=False)
class Spine:
    """(entity id, time) rows.

    Attributes:
        ids: an Arrow array of large_string.
        times_us: microseconds since 1970, int64, shape (rows,).
    """

    ids: Any
    times_us: NDArray[np.int64]

    @classmethod
    def of(cls, ids: Any, times_us: Any) -> Self:
        """Return checked rows.

        Args:
            ids: a list of text or an Arrow array of strings.
            times_us: integers, as many.

        Raises:
            Rejected: an id or a time that cannot be one, or not as many of the one as of the other.
        """
        held = id_array(ids)
        times = np.ascontiguousarray(times_us, dtype=np.int64)
        if len(held) != len(times):
            raise Rejected(f"{len(held)} entity ids and {len(times)} times", field="spine")
        if len(times) and not FIRST_US <= int(times.min()) <= int(times.max()) <= LAST_US:
            raise Rejected("the time is outside the years 1 to 9999 in UTC", field="spine")
        return cls(held, times)

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[str, datetime]]) -> Self:
        """Return rows of Python values as columns. Raises Rejected."""
        ids = id_array([entity_id for entity_id, _ in rows])
        times = np.fromiter((time_us(time, "spine") for _, time in rows), np.int64, len(rows))
        return cls(ids, times)

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.times_us)

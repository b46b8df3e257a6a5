"""What was observed of a feature, in the order in which it became known: what a test in sequence looks at."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.errors import Rejected
from worker.features.columns import Column
from worker.features.join import Ints, Log
from worker.features.port import Definition
from worker.features.training import History


@dataclass(frozen=True, eq=False)
class Observed:
    """One row per observation, an entity at an event time; the newest known value of it, never NULL.

    Attributes:
        ids: of the entities.
        times_us: when each was true, in microseconds since 1970.
        known_us: when each became known; its event time where known-at is not respected.
        values: what it is.
    """

    ids: tuple[str, ...]
    times_us: Ints
    known_us: Ints
    values: Column

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.ids)


def observed(
    definition: Definition, entity: str, history: History, start_us: int, end_us: int, *, respect_known_at: bool
) -> Observed:
    """Return what was true in [start, end) and known by `end`: by when it became known, event time, and entity id.

    Raises:
        Rejected: a feature of another entity, or a computed one.
    """
    name = definition.name
    if definition.entity != entity:
        raise Rejected(f"{name!r} is a feature of {definition.entity!r}, not of {entity!r}", field="label")
    if definition.source == "computed":
        raise Rejected(f"{name!r} is computed; what is observed was stored", field="label")
    log, ids = history.window(definition, start_us, max(start_us, end_us))
    kept = _newest(log, np.flatnonzero(log.known <= end_us) if respect_known_at else np.arange(len(ids)))
    known = log.known if respect_known_at else log.event
    ranked = sorted(kept.tolist(), key=lambda row: (int(known[row]), int(log.event[row]), ids[row]))
    rows = np.array(ranked, dtype=np.intp)
    values = Column.of(definition.type, [log.values[row] for row in ranked])
    return Observed(tuple(ids[row] for row in ranked), log.event[rows], known[rows], values)


def _newest(log: Log, shown: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the newest known of each observation, those that are NULL left out."""
    entity, event = log.entity[shown], log.event[shown]
    last = np.ones(len(shown), dtype=np.bool_)
    last[:-1] = (entity[1:] != entity[:-1]) | (event[1:] != event[:-1])
    kept = shown[last]
    return kept[[log.values[row] is not None for row in kept.tolist()]] if len(kept) else kept

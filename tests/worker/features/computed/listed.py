"""A history that holds its entries in a list, and the evaluator over it."""

from collections.abc import Mapping, Sequence

import numpy as np

from tests.worker.features.computed.reference import Entry
from worker.features.computed.evaluate import Computed, Evaluation
from worker.features.computed.source import HistorySource
from worker.features.computed.windows import NEVER, Spine
from worker.features.join import Ints, Log
from worker.features.port import Definition, Value


class Listed:
    """Gives what is asked for, and nothing else."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries

    def log(self, definition: Definition, codes: Ints, *, since_us: int | None, until_us: int) -> Log:
        """Return the feature's values of these entities with event time in [since, until]."""
        since = NEVER if since_us is None else since_us
        kept = [
            (entry.entity, entry.event, entry.known, order, entry.value)
            for order, entry in enumerate(self.entries)
            if entry.feature == definition.name and entry.entity in codes and since <= entry.event <= until_us
        ]
        entity, event, known, sequence, values = zip(*kept, strict=True) if kept else ((), (), (), (), ())
        entity, event, known, sequence = (np.array(column, np.int64) for column in (entity, event, known, sequence))
        return Log.sorting(entity, event, known, sequence, values)


def evaluation(
    definitions: Mapping[str, Definition],
    entries: Sequence[Entry],
    rows: Sequence[tuple[int, int]],
    *,
    respect: bool = True,
) -> Evaluation:
    """Return the evaluation of (entity, time) rows over these entries."""
    spine = Spine(np.array([entity for entity, _ in rows]), np.array([time for _, time in rows]))
    source = HistorySource(Listed(entries), spine, respect_known_at=respect)
    return Evaluation(definitions, source, spine, respect_known_at=respect)


def shown(computed: Computed) -> tuple[list[Value], list[int | None]]:
    """Return values and newest event times as Python has them."""
    return computed.cells.listed(), [None if event == NEVER else event for event in computed.event.tolist()]

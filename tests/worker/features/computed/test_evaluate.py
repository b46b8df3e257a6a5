"""The evaluator answers what a naive interpreter answers, bit for bit."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.features.computed import generated
from tests.worker.features.computed.reference import Entry, Reference
from worker.features.computed.check import check
from worker.features.computed.evaluate import Evaluation
from worker.features.computed.source import HistorySource
from worker.features.computed.windows import NEVER, Spine
from worker.features.join import Ints, Log
from worker.features.port import Definition, Value

KNOWN = {**generated.INGESTED, "below": generated.BELOW}


class Listed:
    """A history that holds all its entries in a list."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries

    def log(self, definition: Definition, codes: Ints, *, since_us: int | None, until_us: int) -> Log:
        """Return what is asked for, and nothing else."""
        since = NEVER if since_us is None else since_us
        kept = [
            (entry.entity, entry.event, entry.known, order, entry.value)
            for order, entry in enumerate(self.entries)
            if entry.feature == definition.name and entry.entity in codes and since <= entry.event <= until_us
        ]
        entity, event, known, sequence, values = zip(*kept, strict=True) if kept else ((), (), (), (), ())
        return Log.sorting(*(np.array(column, np.int64) for column in (entity, event, known, sequence)), values)


def computed(
    definition: Definition, entries: Sequence[Entry], rows: Sequence[tuple[int, int]], *, respect: bool
) -> tuple[list[Value], list[int | None]]:
    """Return the values and the newest event times of some rows."""
    spine = Spine(np.array([entity for entity, _ in rows]), np.array([time for _, time in rows]))
    source = HistorySource(Listed(entries), spine, respect_known_at=respect)
    evaluation = Evaluation({**KNOWN, definition.name: definition}, source, spine, respect_known_at=respect)
    found = evaluation.compute(definition.name)
    return found.cells.listed(), [None if event == NEVER else event for event in found.event.tolist()]


@pytest.mark.parametrize("kind", ["number", "string", "boolean"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_many_rows_at_once_are_each_row_alone_are_the_naive_interpreter(kind: str, data: st.DataObject) -> None:
    """On random computations and histories, values and event times are the same bits in all three."""
    strategy = {"number": generated.number, "string": generated.text, "boolean": generated.boolean}[kind]
    drawn = data.draw(strategy.filter(lambda text: len(text) < 600), label="drawn")
    text = f"{drawn} + 0 * count(n)" if kind == "number" else f"if(n is null, {drawn}, {drawn})"
    entries, rows = data.draw(generated.histories, label="entries"), data.draw(generated.spines, label="rows")
    respect = data.draw(st.booleans(), label="respect")
    definition = Definition("wanted", "user", kind, source="computed", computation=text)
    check(definition, KNOWN)
    values, events = computed(definition, entries, rows, respect=respect)
    for row, value, event in zip(rows, values, events, strict=True):
        naive = Reference({**KNOWN, "wanted": definition}, entries, *row, respect=respect).feature("wanted")
        assert (repr(value), event) == (
            repr(naive[0] + 0.0 if kind == "number" and naive[0] is not None else naive[0]),
            naive[1],
        )
        assert repr(computed(definition, entries, [row], respect=respect)) == repr(([value], [event]))

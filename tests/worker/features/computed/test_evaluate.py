"""The evaluator answers what a naive interpreter answers, bit for bit."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.features.computed import generated
from tests.worker.features.computed.listed import evaluation, shown
from tests.worker.features.computed.reference import Entry, Reference
from worker.features.computed.check import check
from worker.features.port import Definition, Value

KNOWN = {**generated.INGESTED, "below": generated.BELOW}
STRATEGIES = {"number": generated.number, "string": generated.text, "boolean": generated.boolean}


def computed(
    definition: Definition, entries: Sequence[Entry], rows: Sequence[tuple[int, int]], *, respect: bool
) -> tuple[list[Value], list[int | None]]:
    """Return the values and the newest event times of some rows."""
    definitions = {**KNOWN, definition.name: definition}
    return shown(evaluation(definitions, entries, rows, respect=respect).compute(definition.name))


@pytest.mark.parametrize("kind", sorted(STRATEGIES))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_many_rows_at_once_are_each_row_alone_are_the_naive_interpreter(kind: str, data: st.DataObject) -> None:
    """On random computations and histories, values and event times are the same bits in all three."""
    definition = data.draw(generated.definition(kind, STRATEGIES[kind]), label="definition")
    entries, rows = data.draw(generated.histories, label="entries"), data.draw(generated.spines, label="rows")
    respect = data.draw(st.booleans(), label="respect")
    check(definition, KNOWN)
    values, events = computed(definition, entries, rows, respect=respect)
    for row, value, event in zip(rows, values, events, strict=True):
        naive = Reference({**KNOWN, "wanted": definition}, entries, *row, respect=respect).answer("wanted")
        assert repr((value, event)) == repr(naive)
        assert repr(computed(definition, entries, [row], respect=respect)) == repr(([value], [event]))

"""Training reads find computed features among stored ones, block by block."""

import random
from typing import Any

import numpy as np

from tests.worker.features.computed.listed import Listed
from tests.worker.features.computed.reference import Entry
from worker.features.computed.history import BLOCK_ROWS, ComputingHistory
from worker.features.join import Rows
from worker.features.port import Definition

KNOWN = {
    item.name: item
    for item in (
        Definition("x", "user", "number"),
        Definition("y", "user", "number"),
        Definition("total", "user", "number", source="computed", computation="sum(x)"),
        Definition("both", "user", "number", source="computed", computation="total + y"),
    )
}


def _entries(draw: random.Random) -> list[Entry]:
    return [Entry(draw.randrange(30), "x", draw.randrange(100), 0, float(draw.randrange(9))) for _ in range(400)]


def test_blocks_of_rows_are_put_back_where_they_were() -> None:
    """A table of more rows than one block, of entities in any order, has each row's own value in its place."""
    draw = random.Random(3)
    entries = {(entry.entity, entry.event): entry for entry in _entries(draw)}
    rows = [(draw.choice([-1, *range(31)]), draw.randrange(120)) for _ in range(2 * BLOCK_ROWS + 5)]
    asked = Rows.of(np.array([code for code, _ in rows]), np.array([time for _, time in rows]))
    stored: Any = Listed(list(entries.values()))
    found = ComputingHistory(stored, KNOWN, ["total"]).find(KNOWN["total"], asked, respect_known_at=True)
    sums: dict[tuple[int, int], list[float]] = {}
    for entity, time in set(rows):
        sums[entity, time] = [one.value for one in entries.values() if one.entity == entity and one.event <= time]  # type: ignore[misc]
    assert found.column.tolist() == [sum(sums[row]) if sums[row] else None for row in rows]
    full = sum(1 for row in rows if sums[row])
    assert (found.without_known_at, found.found) == (full, full)


def test_the_input_that_known_at_takes_most_from_is_told() -> None:
    """One input that is wholly unknown makes the feature one of which nothing is left."""
    stored: Any = Listed([Entry(1, "x", 0, 0, 1.0), Entry(1, "y", 0, 99, 2.0), Entry(2, "y", 0, 99, 2.0)])
    rows = Rows.of(np.array([1, 2, 3]), np.array([5, 5, 5]))
    history = ComputingHistory(stored, KNOWN, ["both", "total", "x"])
    both = history.find(KNOWN["both"], rows, respect_known_at=True)
    assert (both.column.tolist(), both.without_known_at, both.found) == ([None, None, None], 2, 0)
    total = history.find(KNOWN["total"], rows, respect_known_at=True)
    assert (total.column.tolist(), total.without_known_at, total.found) == ([1.0, None, None], 1, 1)
    off = history.find(KNOWN["both"], rows, respect_known_at=False)
    assert (off.column.tolist(), off.without_known_at, off.found) == ([3.0, None, None], 1, 1)


def test_features_that_are_asked_for_together_read_their_inputs_once() -> None:
    """What several computations need is read one time for all of them."""
    stored: Any = Listed([Entry(1, "x", 0, 0, 1.0), Entry(1, "y", 0, 0, 2.0)])
    reads: list[str] = []

    def log(definition: Definition, *arguments: Any, **more: Any) -> Any:
        reads.append(definition.name)
        return Listed.log(stored, definition, *arguments, **more)

    stored.log = log
    history = ComputingHistory(stored, KNOWN, ["both", "total"])
    rows = Rows.of(np.array([1]), np.array([5]))
    assert history.find(KNOWN["total"], rows, respect_known_at=True).column.tolist() == [1.0]
    assert history.find(KNOWN["both"], rows, respect_known_at=True).column.tolist() == [3.0]
    assert sorted(reads) == ["x", "y"]

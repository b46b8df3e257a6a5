"""All values of one feature in order, out of any number of runs, in constant memory."""

from collections.abc import Iterator, Sequence

import numpy as np

from worker.adapters.features.embedded.segments.run import KEYS, Part
from worker.adapters.features.embedded.segments.sorting import order_of
from worker.adapters.features.embedded.segments.writing import Sorted
from worker.features.columns import Column, Ints
from worker.features.join import Run

#: Values that are in memory at a time (more only if one entity has more).
PIECE_ROWS = 1 << 20


def sweep(parts: Sequence[Part], piece_rows: int = PIECE_ROWS) -> Iterator[Sorted]:
    """Yield all values of some parts of one feature in order, in pieces that share no entity."""
    filled = [part for part in parts if len(part.run.event)]
    if not filled:
        return
    edges = _edges([part.run for part in filled], piece_rows)
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        pieces = [_between(part, low, high) for part in filled]
        yield _together([piece for piece in pieces if len(piece)])


def _edges(runs: Sequence[Run], piece_rows: int) -> Ints:
    """Return codes that part the entities so that no range has many more values than a piece may have."""
    entities = np.concatenate([run.entities for run in runs])
    counts = np.concatenate([np.diff(run.starts) for run in runs])
    order = np.argsort(entities, kind="stable")
    before = np.cumsum(counts[order])
    cuts = np.searchsorted(before, np.arange(piece_rows, int(before[-1]), piece_rows))
    ends = np.array([entities.min(), entities.max() + 1])
    return np.unique(np.concatenate([ends, entities[order][cuts]]))


def _between(part: Part, low: int, high: int) -> Sorted:
    run = part.run
    first, last = np.searchsorted(run.entities, [low, high])
    run.ranges(run.entities[first:last])  # checks what is about to be read
    start, stop = int(run.starts[first]), int(run.starts[last])
    entity = np.repeat(run.entities[first:last], np.diff(run.starts[first : last + 1]))
    event, known, sequence = run.event[start:stop], run.known[start:stop], run.sequence[start:stop]
    return Sorted(entity, event, known, sequence, part.values.take(np.arange(start, stop)))


def _together(pieces: Sequence[Sorted]) -> Sorted:
    names = ("entity", *KEYS)
    entity, event, known, sequence = (np.concatenate([getattr(piece, name) for piece in pieces]) for name in names)
    values = np.concatenate([piece.value.values for piece in pieces])
    valid = np.concatenate([piece.value.valid for piece in pieces])
    joined = Sorted(entity, event, known, sequence, Column(pieces[0].value.type, values, valid))
    return joined if len(pieces) == 1 else joined.take(order_of(entity, event, known, sequence))

"""Writes a feature's values out, with both times: what an import with known-at takes back."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from worker.adapters.features.embedded.history import StoredHistory
from worker.adapters.features.embedded.segments.sweep import sweep
from worker.adapters.features.embedded.segments.writing import Sorted
from worker.features.columns import Ints
from worker.features.exporting import Rows, open_writer
from worker.features.maintenance import Exported
from worker.features.port import Definition


def export(
    connection: sqlite3.Connection,
    history: StoredHistory,
    definition: Definition,
    path: Path,
    progress: Callable[[int], None],
) -> Exported:
    """Write all values of one feature into a file, in constant memory; its name tells the format."""
    rows = left_out = 0
    with open_writer(path, definition) as writer:
        for piece in _pieces(history, definition):
            left_out += writer.write(Rows(_ids(connection, piece.entity), piece.event, piece.known, piece.value))
            rows += len(piece)
            progress(rows)
    return Exported(definition.name, path, rows - left_out, left_out)


def _pieces(history: StoredHistory, definition: Definition) -> Iterator[Sorted]:
    return sweep(history.parts(definition, None), 1 << 17)


def _ids(connection: sqlite3.Connection, codes: Ints) -> list[str]:
    """Return the id of each code; codes come in ascending order."""
    query = "SELECT code, id FROM entity WHERE code BETWEEN ? AND ?"
    names: dict[int, str] = dict(connection.execute(query, (int(codes[0]), int(codes[-1]))))
    unique, which = np.unique(codes, return_inverse=True)
    held = [names[code] for code in unique.tolist()]
    return [held[at] for at in which.tolist()]

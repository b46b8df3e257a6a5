"""Sorted runs of one feature's values: mapped segments, and the part of the log that is not in any segment yet."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from worker.adapters.features.embedded.encoding import from_columns
from worker.adapters.features.embedded.segments.format import File
from worker.adapters.features.embedded.segments.values import Held, Values, fixed_columns, values_in
from worker.features.columns import Column
from worker.features.join import Ints, Run

#: The columns of a segment with one item per value, apart from the value itself.
KEYS = ("event", "known", "sequence")

_ALL = "SELECT entity, event_us, known_us, sequence, value FROM entry WHERE feature = ? AND sequence <= ?"
_SOME = (
    "SELECT v.entity, v.event_us, v.known_us, v.sequence, v.value FROM json_each(?) AS w CROSS JOIN entry AS v"
    " WHERE v.feature = ? AND v.entity = w.value AND v.sequence <= ? AND v.event_us BETWEEN ? AND ?"
)
#: All event times.
EVER = (-(2**62), 2**62)
#: How many rows of the log cost as much to read in order as one entity costs to seek.
_ROWS_PER_SEEK = 3


@dataclass(frozen=True, kw_only=True)
class MappedRun(Run):
    """A segment; the pages that a look-up may touch are checked before it."""

    file: File

    @classmethod
    def over(cls, file: File, bound: int | None) -> Self:
        """Return the run of a segment; `bound` is the last write sequence that shows, None for all."""
        file.check("entities", "starts")
        entities, starts, event, known, sequence = (file.column(name) for name in ("entities", "starts", *KEYS))
        return cls(entities, starts, event, known, sequence, bound, file=file)

    def ranges(self, codes: Ints) -> tuple[Ints, Ints]:
        """Return where each code's values begin and end."""
        start, stop = super().ranges(codes)
        self.file.check(*KEYS, *fixed_columns(self.file.facts["type"]), start=start, stop=stop)
        if "offset" in self.file.places:
            self.file.check("offset", start=start, stop=np.where(stop > start, stop + 1, stop))
        return start, stop


class Part(NamedTuple):
    """A run with its values."""

    run: Run
    values: Values


def segment_part(file: File, bound: int) -> Part:
    """Return a segment's part of what was written up to `bound`."""
    shown = None if file.facts["max_sequence"] <= bound else bound
    return Part(MappedRun.over(file, shown), values_in(file))


def log_part(
    connection: sqlite3.Connection,
    feature: int,
    feature_type: str,
    bound: int,
    codes: Ints | None,
    span: tuple[int, int] = EVER,
) -> Part | None:
    """Return the log's part of a feature up to a write sequence, None if there is none.

    Args:
        connection: in a read transaction.
        feature: its code.
        feature_type: its type.
        bound: the last write sequence that shows.
        codes: the entities asked for, ascending and each once; None for all.
        span: the first and the last event time that matter; others may be there as well.
    """
    if codes is not None and _is_long(connection, feature, _ROWS_PER_SEEK * len(codes)):
        rows = connection.execute(_SOME, (json.dumps(codes.tolist()), feature, bound, *span)).fetchall()
    else:
        rows = connection.execute(_ALL, (feature, bound)).fetchall()
    return part_of(feature_type, rows) if rows else None


def _is_long(connection: sqlite3.Connection, feature: int, rows: int) -> bool:
    query = "SELECT 1 FROM entry WHERE feature = ? LIMIT 1 OFFSET ?"
    return connection.execute(query, (feature, rows)).fetchone() is not None


def part_of(feature_type: str, rows: list[tuple[Any, ...]]) -> Part:
    """Return rows (entity, event, known, sequence, value) in the log's order as a run."""
    entity, event, known, sequence, values = zip(*rows, strict=True)
    column = Column.of(feature_type, from_columns(feature_type, values))
    return Part(Run.of(*(np.array(keys, dtype=np.int64) for keys in (entity, event, known, sequence))), Held(column))

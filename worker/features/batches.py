"""From the cells of a file to batches of columns: good rows as they are, bad ones as rejects with their reason."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from worker.clock import to_us
from worker.features import cells
from worker.features.bulk import Batch, Cells
from worker.features.chunks import Chunk, chunks
from worker.features.columns import Bools, Ints, id_array
from worker.features.mapping import ImportSpec, RowParser, RowWrites
from worker.features.rows import Reject, file_format
from worker.features.spine import Spine


class Piece:
    """Rows of a file as columns, and the line of each."""

    def __init__(self, lines: Ints, batch: Batch) -> None:
        """Take as many lines as rows."""
        self.lines = lines
        self.batch = batch

    def take(self, rows: slice) -> "Piece":
        """Return some rows."""
        return Piece(self.lines[rows], self.batch.take(rows))

    @classmethod
    def together(cls, pieces: Sequence["Piece"]) -> "Piece":
        """Return the rows of several, one after the other."""
        import pyarrow as pa

        if len(pieces) == 1:
            return pieces[0]
        batches = [piece.batch for piece in pieces]
        known = [batch.known_us for batch in batches if batch.known_us is not None]
        rows = Spine(
            pa.concat_arrays([batch.rows.ids for batch in batches]),
            np.concatenate([batch.rows.times_us for batch in batches]),
        )
        features = {name: Cells.together([one.features[name] for one in batches]) for name in batches[0].features}
        joined = Batch(rows, np.concatenate(known) if known else None, features)
        return cls(np.concatenate([piece.lines for piece in pieces]), joined)


def read_pieces(path: Path, spec: ImportSpec, types: Mapping[str, str]) -> Iterator[Piece | Reject]:
    """Yield the rows of a file: exactly those, and those rejects, that `mapping.read_rows` gives one by one."""
    special = [spec.entity_id, spec.event_time, *([spec.known_at] if spec.known_at else [])]
    parser = RowParser(special, types, text=file_format(path) == "csv")
    for found in chunks(path, [*special, *types]):
        if isinstance(found, Reject):
            yield found
        else:
            yield from _Parsed(found, parser).pieces()


class _Parsed:
    """One chunk, column by column; rows in which anything is not plain are parsed once more by themselves."""

    def __init__(self, chunk: Chunk, parser: RowParser) -> None:
        self._chunk = chunk
        self._parser = parser
        columns = iter(chunk.columns)
        self._ids, self._good = cells.ids(next(columns))
        self._times: list[Ints] = []
        for _ in parser.special[1:]:
            times, took = cells.times(next(columns))
            self._times.append(times)
            self._good &= took
        self._features: dict[str, Cells] = {}
        for (name, feature_type), column in zip(parser.types.items(), columns, strict=True):
            self._features[name], took = cells.values(feature_type, column, text=parser.text)
            self._good &= took

    def pieces(self) -> Iterator[Piece | Reject]:
        """Yield the rejects, and the good rows as one piece."""
        good: Bools = self._good
        for row in np.flatnonzero(~good).tolist():
            found = self._alone(row)
            if isinstance(found, Reject):
                yield found
            else:
                self._correct(row, found)
                good[row] = True
        rows = np.flatnonzero(good)
        if len(rows):
            yield self._piece(rows)

    def _alone(self, row: int) -> RowWrites | Reject:
        try:
            return self._parser.parse(self._chunk.row(row))
        except (ValueError, OverflowError) as error:
            return Reject(self._chunk.lines[row], f"a cell is no value: {error}")

    def _correct(self, row: int, found: RowWrites) -> None:
        if not isinstance(self._ids, list):
            self._ids = self._ids.to_pylist()
        for cells_ in self._features.values():
            cells_.present[row] = False
        for write in found.writes:
            self._ids[row] = write.entity_id
            self._times[0][row] = to_us(write.event_time)
            if write.known_at is not None:
                self._times[-1][row] = to_us(write.known_at)
            self._features[write.feature].put(row, write.value)

    def _piece(self, rows: Ints) -> Piece:
        lines = np.asarray(self._chunk.lines, dtype=np.int64)[rows]
        ids: Any = self._ids
        if isinstance(ids, list):
            ids = [self._placeholder(ids[row]) for row in rows.tolist()]
            ids = id_array(ids)
        elif len(rows) < len(ids):
            ids = ids.take(rows)
        known = self._times[1][rows] if len(self._times) > 1 else None
        features = {name: found.take(rows) for name, found in self._features.items()}
        return Piece(lines, Batch(Spine(ids, self._times[0][rows]), known, features))

    @staticmethod
    def _placeholder(entity_id: Any) -> str:
        """Return the id; a good row without any value may have one that was never corrected, and stores nothing."""
        return entity_id if isinstance(entity_id, str) else str(entity_id)

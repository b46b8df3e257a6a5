"""The columns of an import, stored a transaction at a time; what the store refuses is offered to it row by row."""

from collections.abc import Callable

import numpy as np

from worker.clock import from_us
from worker.errors import Rejected
from worker.features.batches import Piece
from worker.features.bulk import Batch, BulkStore
from worker.features.mapping import ImportSpec
from worker.features.port import FeatureStore, Write
from worker.features.rows import Reject

#: Values per transaction: enough that its files and fsyncs cost little, few enough that others may write in between.
BATCH_VALUES = 200_000


class ColumnImport:
    """The rows that wait for their transaction, and the counts so far.

    Attributes:
        stored: values that the store accepted.
        new: those of them that were new.
    """

    def __init__(
        self, store: FeatureStore, refuse: Callable[[Reject], None], progress: Callable[[int], None], spec: ImportSpec
    ) -> None:
        """Begin with nothing; the store is one that takes columns."""
        if not isinstance(store, BulkStore):
            raise TypeError("the store takes no columns")
        self._bulk: BulkStore = store
        self._store = store
        self._refuse = refuse
        self._progress = progress
        self._spec = spec
        self._waiting: list[Piece] = []
        self._waiting_values = 0
        self._read = 0
        self.stored = self.new = 0

    def add(self, piece: Piece) -> None:
        """Take some rows, and store what waits once it is enough."""
        counts = piece.batch.values
        while self._waiting_values + int(counts.sum()) >= BATCH_VALUES:
            cut = int(np.searchsorted(np.cumsum(counts), BATCH_VALUES - self._waiting_values)) + 1
            self._wait(piece.take(slice(0, cut)), int(counts[:cut].sum()))
            self._flush()
            piece, counts = piece.take(slice(cut, None)), counts[cut:]
        if len(counts):
            self._wait(piece, int(counts.sum()))

    def _wait(self, piece: Piece, values: int) -> None:
        self._waiting.append(piece)
        self._waiting_values += values

    def _flush(self) -> None:
        whole = Piece.together(self._waiting)
        answer = self._bulk.write_columns(self._spec.entity, whole.batch)
        self.stored += int(whole.batch.values[~answer.refused].sum())
        self.new += answer.new
        for row in np.flatnonzero(answer.refused).tolist():
            self._offer(int(whole.lines[row]), _writes(whole.batch, row))
        self._read += self._waiting_values
        self._waiting, self._waiting_values = [], 0
        self._progress(self._read)

    def _offer(self, line: int, writes: list[Write]) -> None:
        try:
            self.new += self._store.write(writes)
            self.stored += len(writes)
        except Rejected as error:
            self._refuse(Reject(line, str(error)))

    def finish(self) -> None:
        """Store the rest, and leave the store tidy."""
        if self._waiting:
            self._flush()
        self._bulk.tidy()


def _writes(batch: Batch, row: int) -> list[Write]:
    entity_id, time = batch.rows.ids[row].as_py(), from_us(int(batch.rows.times_us[row]))
    known_at = None if batch.known_us is None else from_us(int(batch.known_us[row]))
    return [
        Write(entity_id, name, cells.column.take([row]).tolist()[0], time, known_at)
        for name, cells in batch.features.items()
        if cells.present[row]
    ]

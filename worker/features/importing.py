"""The bulk import of feature values from a file, in constant memory; running it again changes nothing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

import msgspec

from worker.errors import Rejected
from worker.features.batches import Piece, read_pieces
from worker.features.bulk import BulkStore
from worker.features.columnar import BATCH_VALUES, ColumnImport
from worker.features.definition import check_definition
from worker.features.mapping import ImportSpec, RowWrites, features_of, guess_types, read_rows
from worker.features.port import Definition, FeatureStore, Write
from worker.features.rows import Reject

__all__ = ["BATCH_VALUES", "ImportReport", "ImportSpec", "import_file", "read_rows"]

#: Values per transaction into a store that takes them one by one.
_ROW_VALUES = 20_000


@dataclass(frozen=True)
class ImportReport:
    """What an import did: values read and accepted, those of them that were new, and rows rejected."""

    values: int
    new: int
    rejected: int


def import_file(
    store: FeatureStore,
    path: Path,
    spec: ImportSpec,
    *,
    define: bool,
    progress: Callable[[int], None],
    rejects: Path,
) -> ImportReport:
    """Store a file's values.

    Args:
        store: where they go, in transactions of 200,000 values; an interrupted import is simply started again.
        path: CSV or JSON Lines (also .gz) or Parquet.
        spec: which column is what.
        define: whether to define columns that are no features yet, by the type of what stands in them.
        progress: called after each transaction with the number of values read so far.
        rejects: JSON Lines of `line` and `reason` for the rows that did not go in; there is no file if all did.

    Raises:
        Rejected: the file or a column cannot be used; nothing was stored unless the reason names a line.
        TryLater: the store cannot be used now.
    """
    features = features_of(path, spec)
    types = _types(store, path, spec, features, define=define)
    with _RejectFile(rejects) as refused:
        if isinstance(store, BulkStore):
            return _by_columns(store, read_pieces(path, spec, types), refused, progress, spec)
        job = _Import(store, refused, progress, latest_only=spec.known_at is None)
        for found in read_rows(path, spec, types):
            if isinstance(found, Reject):
                refused.add(found)
            else:
                job.add(found)
        return job.finish()


def _by_columns(
    store: FeatureStore,
    pieces: Iterable[Piece | Reject],
    refused: "_RejectFile",
    progress: Callable[[int], None],
    spec: ImportSpec,
) -> ImportReport:
    job = ColumnImport(store, refused.add, progress, spec)
    for found in pieces:
        if isinstance(found, Reject):
            refused.add(found)
        else:
            job.add(found)
    job.finish()
    return ImportReport(job.stored, job.new, refused.count)


def _types(
    store: FeatureStore, path: Path, spec: ImportSpec, features: Sequence[str], *, define: bool
) -> dict[str, str]:
    """Return feature -> type, having defined what is not yet; a column without any value is left out."""
    defined = {definition.name: definition for definition in store.definitions()}
    missing = [name for name in features if name not in defined]
    if missing and not define:
        mend = "define them, let --define do it, or name the columns to take"
        raise Rejected(f"not defined: {', '.join(missing)}", field="columns", mend=mend)
    for name in features:
        if name in defined and defined[name].entity != spec.entity:
            reason = f"{name!r} is a feature of {defined[name].entity!r}, not of {spec.entity!r}"
            raise Rejected(reason, field="columns", mend="name the columns to take")
        if name in defined and defined[name].source == "computed":
            raise Rejected(
                f"{name!r} is computed and takes no values", field="columns", mend="name the columns to take"
            )
    new = [Definition(name, spec.entity, kind) for name, kind in guess_types(path, missing).items()]
    for definition in new:
        check_definition(definition)
    types = {definition.name: store.define(definition).type for definition in new}
    return {name: types.get(name) or defined[name].type for name in features if name in types or name in defined}


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"the reject file {path} cannot be written: {error.strerror or error}"
        raise Rejected(reason, field="rejects", mend="name another place") from error


class _RejectFile:
    """The file of rejected rows, made with the first one; one of an earlier run goes."""

    def __init__(self, path: Path) -> None:
        with _writable(path):
            path.unlink(missing_ok=True)
        self._path = path
        self._stack = ExitStack()
        self._stream: IO[bytes] | None = None
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, reject: Reject) -> None:
        """Write one down."""
        if self._stream is None:
            with _writable(self._path):
                self._stream = self._stack.enter_context(self._path.open("wb"))
        self._stream.write(msgspec.json.encode({"line": reject.line, "reason": reject.reason}) + b"\n")
        self.count += 1


class _Import:
    """The rows that wait for their transaction, and the counts so far."""

    def __init__(
        self, store: FeatureStore, refused: _RejectFile, progress: Callable[[int], None], *, latest_only: bool
    ) -> None:
        self._store = store
        self._refused = refused
        self._progress = progress
        self._latest_only = latest_only
        self._waiting: list[RowWrites] = []
        self._waiting_values = 0
        self._read = self._stored = self._new = 0

    def add(self, row: RowWrites) -> None:
        """Take one row, and store what waits once it is enough."""
        self._waiting.append(row)
        self._waiting_values += len(row.writes)
        if self._waiting_values >= _ROW_VALUES:
            self._flush()

    def _flush(self) -> None:
        self._store_rows(self._waiting)
        self._read += self._waiting_values
        self._waiting, self._waiting_values = [], 0
        self._progress(self._read)

    def _store_rows(self, batch: Sequence[RowWrites]) -> None:
        """Store rows in one transaction; if the store refuses one, halve until it stands alone."""
        writes = [write for row in batch for write in row.writes]
        if self._latest_only:
            writes = _latest(writes)
        try:
            self._new += self._store.write(writes)
            self._stored += sum(len(row.writes) for row in batch)
        except Rejected as error:
            if len(batch) == 1:
                self._refused.add(Reject(batch[0].line, str(error)))
                return
            middle = len(batch) // 2
            self._store_rows(batch[:middle])
            self._store_rows(batch[middle:])

    def finish(self) -> ImportReport:
        """Store the rest and return the counts."""
        if self._waiting:
            self._flush()
        return ImportReport(self._stored, self._new, self._refused.count)


def _latest(writes: Sequence[Write]) -> list[Write]:
    """Keep the last of several values for one event time: all become known at once, so the earlier ones never show."""
    return list({(write.entity_id, write.feature, write.event_time): write for write in writes}.values())

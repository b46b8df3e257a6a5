"""Rows out of a file many at a time, as columns of cells; the same rows as `worker.features.rows` gives one by one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.features.plain_csv import CsvBlocks
from worker.features.rows import (
    UNREADABLE,
    Cell,
    Reject,
    Row,
    arrow_cells,
    csv_header,
    damaged,
    file_format,
    objects,
    opened,
    parquet_file,
    text_blocks,
)

CHUNK_ROWS = 1 << 14


@dataclass(frozen=True)
class Chunk:
    """Some rows.

    Attributes:
        lines: the number of each.
        columns: in the order asked for, each a list of cells, a tuple of cells none of which is absent, or, from
            Parquet, an Arrow array.
    """

    lines: Sequence[int]
    columns: Sequence[Any]

    def row(self, number: int) -> Row:
        """Return one row by itself. Raises ValueError or OverflowError for a cell that Python cannot hold."""
        cells = [
            arrow_cells(column.slice(number, 1))[0] if hasattr(column, "slice") else column[number]
            for column in self.columns
        ]
        return Row(self.lines[number], cells)


def chunks(path: Path, columns: Sequence[str]) -> Iterator[Chunk | Reject]:
    """Yield the file's rows in order with these columns' cells.

    Raises:
        Rejected: the file cannot be read on (it is damaged, or not of its format).
    """
    reader = {"csv": _csv_chunks, "jsonl": _jsonl_chunks, "parquet": _parquet_chunks}[file_format(path)]
    line = 0
    try:
        for found in reader(path, columns):
            line = found.line if isinstance(found, Reject) else found.lines[-1]
            yield found
    except UNREADABLE as error:
        raise damaged(path, line, error) from error


def _csv_chunks(path: Path, columns: Sequence[str]) -> Iterator[Chunk | Reject]:
    header = csv_header(path)
    positions = [header.index(name) for name in columns]
    with opened(path) as stream:
        for found in CsvBlocks(text_blocks(stream), len(header), positions):
            yield found if isinstance(found, Reject) else Chunk(*found)


def _jsonl_chunks(path: Path, columns: Sequence[str]) -> Iterator[Chunk | Reject]:
    lines: list[int] = []
    records: list[dict[str, Any]] = []
    for line, reason, found in objects(path):
        if found is None:
            yield Reject(line, reason)
            continue
        lines.append(line)
        records.append(found)
        if len(lines) == CHUNK_ROWS:
            yield _gathered(lines, records, columns)
            lines, records = [], []
    if lines:
        yield _gathered(lines, records, columns)


def _gathered(lines: list[int], records: list[dict[str, Any]], columns: Sequence[str]) -> Chunk:
    return Chunk(lines, [_values(records, name) for name in columns])


def _values(records: list[dict[str, Any]], name: str) -> Sequence[Any]:
    try:
        return tuple([record[name] for record in records])
    except KeyError:
        return [record.get(name, Cell.ABSENT) for record in records]


def _parquet_chunks(path: Path, columns: Sequence[str]) -> Iterator[Chunk]:
    from pyarrow import ArrowException

    line = 1
    with parquet_file(path) as file:
        try:
            for batch in file.iter_batches(batch_size=CHUNK_ROWS, columns=list(dict.fromkeys(columns))):
                if batch.num_rows:
                    yield Chunk(range(line, line + batch.num_rows), [batch.column(name) for name in columns])
                line += batch.num_rows
        except ArrowException as error:
            raise damaged(path, line - 1, error) from error

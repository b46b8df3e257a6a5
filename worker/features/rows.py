"""Rows out of a file: CSV and JSON Lines (also .gz) and Parquet, one at a time, a bad one as its line and reason."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from worker.errors import Rejected

MAX_LINE_BYTES = 16 * 1024 * 1024
_PARQUET_BATCH_ROWS = 8192
_BLOCK_BYTES = 1 << 20
#: What reading a damaged or truncated file, also a compressed one, raises.
UNREADABLE = (OSError, EOFError, zlib.error)


class Cell(Enum):
    """What is not a value: nothing stands there (an empty CSV cell, an absent JSON key, a Parquet null)."""

    ABSENT = 0


@dataclass(frozen=True)
class Row:
    """One row: its number (a line of the text, a row of Parquet; from 1), and its cells in the order asked for."""

    line: int
    cells: Sequence[Any]


@dataclass(frozen=True)
class Reject:
    """A row that does not go in, and why."""

    line: int
    reason: str


def file_format(path: Path) -> str:
    """Return `csv`, `jsonl` or `parquet`, by the file's name. Raises Rejected."""
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    known = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}
    if suffix not in known or (suffix == ".parquet" and path.name.endswith(".gz")):
        mend = "name it .csv, .jsonl (either also with .gz) or .parquet"
        raise Rejected(f"the format of {path.name!r} is not known", field="file", mend=mend)
    return known[suffix]


def column_names(path: Path) -> list[str]:
    """Return the names of a file's columns; for JSON Lines the keys of all its lines, which takes a pass over it.

    Raises:
        Rejected: not readable, not of its format, or a name stands twice.
    """
    names = {"csv": csv_header, "jsonl": _jsonl_keys, "parquet": _parquet_names}[file_format(path)](path)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Rejected(f"{path.name} has the column {twice[0]!r} twice", field="file", mend="rename one")
    return names


def rows(path: Path, columns: Sequence[str]) -> Iterator[Row | Reject]:
    """Yield the file's rows in order with these columns' cells.

    Raises:
        Rejected: the file cannot be read on (it is damaged, or not of its format).
    """
    reader = {"csv": _csv_rows, "jsonl": _jsonl_rows, "parquet": _parquet_rows}[file_format(path)]
    line = 0
    try:
        for row in reader(path, columns):
            line = row.line
            yield row
    except UNREADABLE as error:
        raise damaged(path, line, error) from error


def damaged(path: Path, line: int, error: Exception) -> Rejected:
    """Return what is told of a file that cannot be read on."""
    return Rejected(f"{path.name} cannot be read after line {line}: {error}", field="file")


def opened(path: Path) -> io.BufferedReader | gzip.GzipFile:
    """Open a file, also a compressed one. Raises Rejected."""
    try:
        return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise Rejected(f"{path} cannot be opened: {error.strerror or error}", field="file") from error


def _lines(stream: io.BufferedReader | gzip.GzipFile) -> Iterator[bytes]:
    while line := stream.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise _too_long()
        yield line


def _text(stream: io.BufferedReader | gzip.GzipFile) -> Iterator[str]:
    for block in text_blocks(stream):
        lines = block.split("\n")
        last = lines.pop()
        for line in lines:
            yield f"{line}\n"
        if last:
            yield last


def text_blocks(stream: io.BufferedReader | gzip.GzipFile) -> Iterator[str]:
    """Yield a file's text in blocks of whole lines.

    Bytes that are no UTF-8 become lone surrogates, which the value checks refuse row by row.

    Raises:
        Rejected: a line is longer than any should be.
    """
    encoding, begun = "utf-8-sig", b""
    while block := stream.read1(_BLOCK_BYTES):
        whole, line_end, rest = block.rpartition(b"\n")
        if line_end:
            yield (begun + whole + line_end).decode(encoding, errors="surrogateescape")
            encoding, begun = "utf-8", rest
        else:
            begun += rest
        if len(begun) > MAX_LINE_BYTES:
            raise _too_long()
    if begun:
        yield begun.decode(encoding, errors="surrogateescape")


def _too_long() -> Rejected:
    return Rejected(f"a line is longer than {MAX_LINE_BYTES} bytes", field="file")


def csv_header(path: Path) -> list[str]:
    """Return the names in the first line. Raises Rejected."""
    with opened(path) as stream:
        try:
            header = next(csv.reader(_text(stream)), None)
        except (csv.Error, *UNREADABLE) as error:
            raise Rejected(f"{path.name} is not CSV: {error}", field="file") from error
    if not header:
        raise Rejected(f"{path.name} is empty; its first line names the columns", field="file")
    return header


def _csv_rows(path: Path, columns: Sequence[str]) -> Iterator[Row | Reject]:
    header = csv_header(path)
    positions = [header.index(name) for name in columns]
    with opened(path) as stream:
        reader = csv.reader(_text(stream))
        next(reader)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Reject(reader.line_num, f"not CSV: {error}")
                continue
            if len(cells) == len(header):
                yield Row(reader.line_num, [cells[at] or Cell.ABSENT for at in positions])
            elif cells:
                yield Reject(reader.line_num, f"{len(cells)} cells, and the first line names {len(header)} columns")


def _jsonl_keys(path: Path) -> list[str]:
    names: dict[str, None] = {}
    try:
        names = {name: None for _, _, found in objects(path) for name in found or ()}
    except UNREADABLE as error:
        raise damaged(path, 0, error) from error
    return list(names)


def _jsonl_rows(path: Path, columns: Sequence[str]) -> Iterator[Row | Reject]:
    for line, reason, found in objects(path):
        if found is None:
            yield Reject(line, reason)
        else:
            yield Row(line, [found.get(name, Cell.ABSENT) for name in columns])


def objects(path: Path) -> Iterator[tuple[int, str, dict[str, Any] | None]]:
    """Yield per line its number, and either its object or the reason why it is none."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    with opened(path) as stream:
        for number, line in enumerate(_lines(stream), start=1):
            if not line.strip():
                continue
            try:
                yield number, "", decode(line)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
                yield number, f"not a JSON object: {error}", None


def parquet_file(path: Path) -> Any:
    """Open a Parquet file. Raises Rejected."""
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(path)
    except (ArrowException, OSError) as error:
        raise Rejected(f"{path.name} is not a Parquet file: {error}", field="file") from error


def _parquet_names(path: Path) -> list[str]:
    with parquet_file(path) as file:
        return list(file.schema_arrow.names)


def _parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[Row | Reject]:
    from pyarrow import ArrowException

    line = 0
    with parquet_file(path) as file:
        try:
            for batch in file.iter_batches(batch_size=_PARQUET_BATCH_ROWS, columns=list(columns)):
                for cells in zip(*(arrow_cells(batch.column(name)) for name in columns), strict=True):
                    line += 1
                    yield Row(line, cells)
        except ArrowException as error:
            raise damaged(path, line, error) from error


def arrow_cells(column: Any) -> list[Any]:
    """Return one column's cells; times to the microsecond, in UTC where they have a zone."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz="UTC" if column.type.tz else None), safe=False)
    return [Cell.ABSENT if cell is None else cell for cell in column.to_pylist()]

"""Values into files that an import takes back: an id, both times and the value in each row."""

import csv
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np

from worker.errors import Rejected
from worker.features.columns import Column, Ints
from worker.features.port import Definition

FORMATS = ("parquet", "csv", "jsonl")
#: The columns before the value's.
COLUMNS = ("entity_id", "event_time", "known_at")


@dataclass(frozen=True)
class Rows:
    """Some values of one feature; times in microseconds."""

    ids: list[str]
    event_us: Ints
    known_us: Ints
    value: Column


class RowWriter(Protocol):
    """Writes rows into one file."""

    def write(self, rows: Rows) -> int:
        """Write rows, and return how many were left out."""
        ...


@contextmanager
def open_writer(path: Path, definition: Definition) -> Iterator[RowWriter]:
    """Give a writer by the file's name; the file stands there whole at the end, or not at all. Raises Rejected."""
    kind = path.suffix.removeprefix(".")
    if kind not in FORMATS:
        raise Rejected(f"{kind!r} is not a format", field="format", mend=f"use one of: {', '.join(FORMATS)}")
    part = path.with_name(f".{path.name}.part")
    try:
        with {"parquet": _parquet, "csv": _csv, "jsonl": _jsonl}[kind](part, definition) as writer:
            yield writer
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def times_text(times_us: Ints) -> list[str]:
    """Return times as RFC 3339 in UTC."""
    return [f"{text}Z" for text in np.datetime_as_string(times_us.view("datetime64[us]")).tolist()]


@contextmanager
def _parquet(path: Path, definition: Definition) -> Iterator[RowWriter]:
    import pyarrow as pa
    from pyarrow import parquet

    moment = pa.timestamp("us", tz="UTC")
    kind = Column.empty(definition.type, 0).to_arrow().type
    types = (pa.large_string(), moment, moment, kind)
    schema = pa.schema(list(zip((*COLUMNS, definition.name), types, strict=True)))
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        yield _Parquet(writer, schema)


@dataclass(frozen=True)
class _Parquet:
    writer: Any
    schema: Any

    def write(self, rows: Rows) -> int:
        import pyarrow as pa

        stay = np.flatnonzero(rows.value.valid)
        ids = pa.array(rows.ids, pa.large_string()).take(stay)
        times = [pa.array(one[stay]).cast(self.schema.types[1]) for one in (rows.event_us, rows.known_us)]
        value = rows.value.take(stay).to_arrow()
        self.writer.write_batch(pa.record_batch([ids, *times, value], schema=self.schema))
        return len(rows.ids) - len(stay)


@contextmanager
def _csv(path: Path, definition: Definition) -> Iterator[RowWriter]:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow((*COLUMNS, definition.name))
        yield _Csv(writer)


@dataclass(frozen=True)
class _Csv:
    writer: Any

    def write(self, rows: Rows) -> int:
        texts = [cell_text(value) for value in rows.value.tolist()]
        written = zip(rows.ids, times_text(rows.event_us), times_text(rows.known_us), texts, strict=True)
        self.writer.writerows(row for row in written if row[3])
        return texts.count("")


def cell_text(value: Any) -> str:
    """Return a value as a cell of CSV, empty for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, list) else str(value)


@contextmanager
def _jsonl(path: Path, definition: Definition) -> Iterator[RowWriter]:
    with path.open("wb") as stream:
        yield _JsonLines(stream, definition.name)


@dataclass(frozen=True)
class _JsonLines:
    stream: Any
    name: str

    def write(self, rows: Rows) -> int:
        names = (*COLUMNS, self.name)
        values = zip(rows.ids, times_text(rows.event_us), times_text(rows.known_us), rows.value.tolist(), strict=True)
        lines = [msgspec.json.encode(dict(zip(names, row, strict=True))) + b"\n" for row in values]
        self.stream.write(b"".join(lines))
        return 0

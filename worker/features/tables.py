"""Spines out of files and training tables into files: Arrow, Parquet, CSV and JSON Lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from worker.errors import Rejected
from worker.features import cells
from worker.features.chunks import Chunk, chunks
from worker.features.exporting import times_text
from worker.features.mapping import parse_row_key
from worker.features.rows import Reject, column_names
from worker.features.spine import Spine
from worker.features.training import Table

#: What each suffix holds.
FORMATS = {
    ".arrow": "arrow",
    ".feather": "arrow",
    ".parquet": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}


def read_spine(path: Path, entity_id: str, time: str) -> Spine:
    """Return the rows of a file: an entity id and a time in each, in the file's order, repeated ones too.

    Args:
        path: Arrow (a file or stream), Parquet, CSV or JSON Lines (the last two also .gz).
        entity_id: the column with the ids; what is not asked for is left alone.
        time: the column with the times.

    Raises:
        Rejected: the file cannot be read, or a row has no id or no time; with its line.
    """
    if path.suffix.lower() in {".arrow", ".feather"}:
        found: Sequence[Chunk | Reject] = _arrow_chunks(path, [entity_id, time])
    else:
        _check_columns(path, column_names(path), [entity_id, time])
        found = list(chunks(path, [entity_id, time]))
    spines = [_spine(chunk, (entity_id, time)) for chunk in found]
    if not spines:
        raise Rejected(f"{path.name} has no rows", field="spine")
    import pyarrow as pa

    ids = pa.concat_arrays([one.ids for one in spines])
    return Spine(ids, np.concatenate([one.times_us for one in spines]))


def _check_columns(path: Path, names: Sequence[str], wanted: Sequence[str]) -> None:
    for name in wanted:
        if name not in names:
            raise Rejected(f"{path.name} has no column {name!r}; it has {', '.join(names)}", field="spine")


def _spine(chunk: Chunk | Reject, names: tuple[str, str]) -> Spine:
    if isinstance(chunk, Reject):
        raise Rejected(f"line {chunk.line}: {chunk.reason}", field="spine")
    ids, good = cells.ids(chunk.columns[0])
    times, read = cells.times(chunk.columns[1])
    odd = np.flatnonzero(~(good & read)).tolist()
    if not odd:
        return Spine.of(ids, times)
    listed = ids if isinstance(ids, list) else ids.to_pylist()
    for row in odd:
        key = parse_row_key(chunk.row(row), names)
        if isinstance(key, Reject):
            raise Rejected(f"line {key.line}: {key.reason}", field="spine")
        listed[row], times[row] = key
    return Spine.of(listed, times)


def _arrow_chunks(path: Path, names: Sequence[str]) -> list[Chunk | Reject]:
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source:
            try:
                table = pa.ipc.open_file(source).read_all()
            except pa.ArrowInvalid:
                source.seek(0)
                table = pa.ipc.open_stream(source).read_all()
    except (pa.ArrowException, OSError) as error:
        raise Rejected(f"{path.name} is not an Arrow file: {error}", field="spine") from error
    _check_columns(path, table.column_names, names)
    line, found = 1, list[Chunk | Reject]()
    for batch in table.select(list(names)).to_batches():
        if batch.num_rows:
            found.append(Chunk(range(line, line + batch.num_rows), [batch.column(name) for name in names]))
            line += batch.num_rows
    return found


def arrow_table(table: Table, entity_id: str = "entity_id", time: str = "event_time") -> Any:
    """Return a training table as an Arrow table: id, time in UTC, and one column for each feature."""
    import pyarrow as pa

    times = pa.array(table.spine.times_us).cast(pa.timestamp("us", tz="UTC"))
    columns = {entity_id: table.spine.ids, time: times}
    return pa.table(columns | {name: column.to_arrow() for name, column in table.columns.items()})


def write_table(table: Table, path: Path, *, entity_id: str = "entity_id", time: str = "event_time") -> None:
    """Write a training table into a file; its name tells the format. Raises Rejected."""
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        mend = f"name it {', '.join(FORMATS)}"
        raise Rejected(f"the format of {path.name!r} is not known", field="out", mend=mend)
    try:
        _WRITERS[kind](table, path, entity_id, time)
    except OSError as error:
        raise Rejected(f"{path} cannot be written: {error.strerror or error}", field="out") from error


def _write_arrow(table: Table, path: Path, entity_id: str, time: str) -> None:
    import pyarrow as pa

    content = arrow_table(table, entity_id, time)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, content.schema) as writer:
        writer.write_table(content)


def _write_parquet(table: Table, path: Path, entity_id: str, time: str) -> None:
    from pyarrow import parquet

    parquet.write_table(arrow_table(table, entity_id, time), path, compression="zstd")


def _write_csv(table: Table, path: Path, entity_id: str, time: str) -> None:
    import csv

    from worker.features.exporting import cell_text

    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([entity_id, time, *table.columns])
        columns = [[cell_text(value) for value in column.tolist()] for column in table.columns.values()]
        keys = (table.spine.ids.to_pylist(), times_text(table.spine.times_us))
        writer.writerows(zip(*keys, *columns, strict=True))


def _write_jsonl(table: Table, path: Path, entity_id: str, time: str) -> None:
    import msgspec

    names = (entity_id, time, *table.columns)
    keys = (table.spine.ids.to_pylist(), times_text(table.spine.times_us))
    rows = zip(*keys, *(column.tolist() for column in table.columns.values()), strict=True)
    encoder = msgspec.json.Encoder()
    with path.open("wb") as stream:
        for row in rows:
            stream.write(encoder.encode(dict(zip(names, row, strict=True))) + b"\n")


_WRITERS = {"arrow": _write_arrow, "parquet": _write_parquet, "csv": _write_csv, "jsonl": _write_jsonl}

"""A training table as bytes: a JSON document, JSON Lines, or Arrow's stream format; the same table, the same bytes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from worker.features.port import Definition, TrainingTable, Value

JSON, LINES, ARROW = "application/json", "application/x-ndjson", "application/vnd.apache.arrow.stream"
#: Rows that are made at a time.
_CHUNK_ROWS = 2_000

_encoder = msgspec.json.Encoder()


def document(table: TrainingTable) -> bytes:
    """Return `{snapshotId, rows}`."""
    return _encoder.encode({"snapshotId": table.snapshot_id, "rows": _rows(table, 0, len(table.entity_ids))})


def json_lines(table: TrainingTable) -> Iterator[bytes]:
    """Yield one object per row, some thousand lines at a time."""
    for start in range(0, len(table.entity_ids), _CHUNK_ROWS):
        yield _encoder.encode_lines(_rows(table, start, start + _CHUNK_ROWS))


def _rows(table: TrainingTable, start: int, stop: int) -> list[dict[str, Any]]:
    ids, times = table.entity_ids[start:stop], table.times[start:stop]
    names = list(table.columns)
    values: Sequence[Sequence[Value]] = [column[start:stop] for column in table.columns.values()]
    cells = zip(*values, strict=True) if values else ((),) * len(ids)
    return [
        {"entityId": id_, "timestamp": time, "features": dict(zip(names, row, strict=True))}
        for id_, time, row in zip(ids, times, cells, strict=True)
    ]


def arrow_stream(table: TrainingTable, definitions: Mapping[str, Definition]) -> Iterator[bytes]:
    """Yield `entityId`, `timestamp` (µs, UTC) and a column per feature; the schema's metadata has the snapshot's id."""
    import pyarrow as pa

    types = {"number": pa.float64(), "string": pa.string(), "boolean": pa.bool_(), "vector": pa.list_(pa.float64())}
    schema = pa.schema(
        [
            ("entityId", pa.string()),
            ("timestamp", pa.timestamp("us", tz="UTC")),
            *((name, types[definitions[name].type]) for name in table.columns),
        ],
        metadata={"snapshotId": table.snapshot_id},
    )
    sink = _Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema) as writer:
        for start in range(0, len(table.entity_ids), _CHUNK_ROWS):
            stop = start + _CHUNK_ROWS
            columns = [table.entity_ids, table.times, *table.columns.values()]
            arrays = [pa.array(column[start:stop], kind.type) for column, kind in zip(columns, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            yield sink.take()
    yield sink.take()


class _Sink:
    """A file that gives away what was written to it."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: Any) -> int:
        """Keep a part."""
        kept = bytes(part)
        self._parts.append(kept)
        return len(kept)

    def flush(self) -> None:
        """Nothing waits."""

    def take(self) -> bytes:
        """Return what was written since, and forget it."""
        taken, self._parts = b"".join(self._parts), []
        return taken

"""Spines and tables as compressed Arrow bytes: what a snapshot keeps of them."""

from typing import Any

import numpy as np

from worker.features.columns import Column, int_array
from worker.features.spine import Spine
from worker.features.training import Table


def pack_spine(spine: Spine) -> bytes:
    """Return a spine as bytes."""
    import pyarrow as pa

    return _packed(pa.record_batch({"id": spine.ids, "time": int_array(spine.times_us)}))


def unpack_spine(data: bytes) -> Spine:
    """Return the spine."""
    batch = _unpacked(data)
    return Spine(batch.column("id"), batch.column("time").to_numpy())


def pack_table(table: Table) -> bytes:
    """Return a table as bytes."""
    import pyarrow as pa

    columns = [table.spine.ids, int_array(table.spine.times_us), *(one.to_arrow() for one in table.columns.values())]
    names = ["id", "time", *(f"{column.type}:{name}" for name, column in table.columns.items())]
    return _packed(pa.record_batch(columns, names=names))


def unpack_table(data: bytes, definitions: dict[str, int]) -> Table:
    """Return the table."""
    batch = _unpacked(data)
    spine = Spine(batch.column("id"), batch.column("time").to_numpy())
    columns = {}
    for name in batch.schema.names[2:]:
        feature_type, feature = name.split(":", 1)
        columns[feature] = _column(feature_type, batch.column(name))
    return Table(spine, columns, definitions)


def _column(feature_type: str, array: Any) -> Column:
    if feature_type in {"number", "boolean"}:
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        filled = array.fill_null(0.0 if feature_type == "number" else False)
        return Column(feature_type, np.ascontiguousarray(filled.to_numpy(zero_copy_only=False)), valid)
    return Column.of(feature_type, array.to_pylist())


def _packed(batch: Any) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _unpacked(data: bytes) -> Any:
    import pyarrow as pa

    with pa.ipc.open_stream(data) as reader:
        return reader.read_next_batch()

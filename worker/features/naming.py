"""The names of training tables: a hash of what was asked, of the definition versions, and of every value in it; pure.

The content is in it, not the store's write sequence, so that the same question has the same name for as long as its
answer is the same, on any machine.
"""

import hashlib
from typing import Any

import msgspec
import numpy as np

from worker.features.columns import Column, heap
from worker.features.port import TrainingRequest
from worker.features.request import request_body
from worker.features.training import Table

PREFIX = "snap-"
_LENGTH = 40


def table_name(request: TrainingRequest, table: Table) -> str:
    """Return the name of a table."""
    digest = hashlib.sha256()
    digest.update(msgspec.msgpack.encode(["columns", request_body(request), sorted(table.definitions.items())]))
    offsets, content = heap(table.spine.ids)
    for part in (offsets, content, table.spine.times_us):
        _add(digest, part)
    for name, column in sorted(table.columns.items()):
        digest.update(msgspec.msgpack.encode([name, column.type]))
        _add_column(digest, column)
    return f"{PREFIX}{digest.hexdigest()[:_LENGTH]}"


def _add(digest: Any, part: Any) -> None:
    digest.update(len(part).to_bytes(8, "little"))
    digest.update(np.ascontiguousarray(part).data)


def _add_column(digest: Any, column: Column) -> None:
    _add(digest, np.packbits(column.valid))
    if column.values.dtype == np.object_:
        digest.update(msgspec.msgpack.encode(column.tolist()))
    else:
        _add(digest, np.where(column.valid, column.values, column.values.dtype.type(0)))


def first_name(request: TrainingRequest, table: Table) -> str:
    """Return the name that the first version of the store gave, which hashed Python values."""
    digest = hashlib.sha256()
    rows = [table.spine.ids.to_pylist(), table.spine.times_us.tolist()]
    head = [request_body(request), sorted(table.definitions.items()), *rows]
    for part in (*head, *sorted((name, column.tolist()) for name, column in table.columns.items())):
        digest.update(msgspec.msgpack.encode(part))
    return f"{PREFIX}{digest.hexdigest()[:_LENGTH]}"

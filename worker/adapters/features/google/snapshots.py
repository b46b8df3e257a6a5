"""Kept training reads in BigQuery: the question and its definitions' versions, and a bound on the write sequence.

BigQuery's own time travel ends after seven days, and a table snapshot per read would be a table per read: the tables
are append-only, so that a bound on the write sequence tells what was there, for ever and for nothing.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from worker.adapters.features.embedded import frames
from worker.adapters.features.google.sql import snapshots
from worker.adapters.features.google.warehouse import Param, Rows, Warehouse, offered
from worker.clock import from_us
from worker.errors import NotFound
from worker.features.port import LabelWindow, TrainingRequest
from worker.features.request import request_body
from worker.features.spine import Spine
from worker.features.training import Table

#: A row may have 10 MB; a spine of millions of rows has more.
_PART_BYTES = 4 << 20


@dataclass(frozen=True)
class Snapshot:
    """A kept read: what was asked, feature -> version, and the last write sequence that shows."""

    request: TrainingRequest
    definitions: dict[str, int]
    sequence: int


class Snapshots:
    """The kept reads of one warehouse."""

    def __init__(self, warehouse: Warehouse) -> None:
        """Read nothing yet."""
        self._warehouse = warehouse

    def keep(self, snapshot_id: str, request: TrainingRequest, table: Table, sequence: int, now_us: int) -> None:
        """Keep a read under its name; one that is kept already stays as it is."""
        spine = frames.pack_spine(table.spine) if request.spine is not None else None
        body = msgspec.msgpack.encode([request_body(request), table.definitions, spine])
        parts = [body[first : first + _PART_BYTES] for first in range(0, len(body), _PART_BYTES)]
        rows = Rows("parts_of_it", snapshots.FIELDS, {"part": list(range(len(parts))), "body": parts})
        params = [
            Param("id", "STRING", snapshot_id),
            Param("parts", "INT64", len(parts)),
            Param("sequence", "INT64", sequence),
            Param("now", "INT64", now_us),
        ]
        name = self._warehouse.name
        with offered(self._warehouse, rows) as (source, needed):
            statements = [snapshots.keep(name, source)]
            self._warehouse.transact(statements, snapshots.count(name), [*params, *needed])

    def find(self, snapshot_id: str) -> Snapshot:
        """Return a kept read. Raises NotFound."""
        params = [Param("id", "STRING", snapshot_id)]
        rows = self._warehouse.query(snapshots.find(self._warehouse.name), params)
        if not rows:
            raise NotFound(f"there is no snapshot {snapshot_id[:140]!r}")
        # Two processes may have kept the same read at the same time: any sequence gives the same table.
        sequence = min(row[0] for row in rows)
        parts = {row[1]: row[3] for row in rows if row[0] == sequence}
        asked, definitions, packed = msgspec.msgpack.decode(b"".join(parts[part] for part in sorted(parts)))
        spine = None if packed is None else frames.unpack_spine(packed)
        return Snapshot(_request(asked, spine), definitions, sequence)


def _request(body: dict[str, Any], spine: Spine | None) -> TrainingRequest:
    window = body["label"]
    return TrainingRequest(
        entity=body["entity"],
        features=tuple(body["features"]),
        entities=body["entities"],
        spine=spine,
        label=None if window is None else LabelWindow(window[0], from_us(window[1]), from_us(window[2])),
        respect_known_at=body["respectKnownAt"],
    )

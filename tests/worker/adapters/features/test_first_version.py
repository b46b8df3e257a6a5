"""A store that the first version wrote: its values move into segments, and its snapshots stand."""

import sqlite3
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from worker.adapters.features.embedded import schema
from worker.adapters.features.local import FILE_NAME, LocalFeatureStore
from worker.clock import VirtualClock, to_us
from worker.features.columns import Column
from worker.features.naming import first_name
from worker.features.port import TrainingRequest
from worker.features.request import request_body
from worker.features.spine import Spine
from worker.features.training import Table

NOW = datetime(2002, 10, 1, tzinfo=UTC)
TIMES = [to_us(NOW - timedelta(days=days)) for days in (3, 2, 1)]


def first_store(path: Path) -> str:
    """Write what the first version would have written; return the name of its snapshot."""
    rows = [["e1", "e2", "e1"], TIMES]
    spine = Spine.of(*rows)
    request = TrainingRequest("thing", ("score",), {}, spine)
    table = Table(spine, {"score": Column.of("number", [1.0, None, 2.0])}, {"score": 1})
    name = first_name(request, table)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    schema.STEPS[0](connection)
    connection.execute("PRAGMA user_version = 1")
    connection.execute("INSERT INTO feature VALUES (1, 'score')")
    body = msgspec.json.encode({"entity": "thing", "type": "number", "source": "ingested"})
    connection.execute("INSERT INTO definition VALUES ('score', 1, ?)", (body,))
    online = msgspec.msgpack.encode({1: (TIMES[2], TIMES[2], 2.0)})
    connection.execute("INSERT INTO entity VALUES (1, 'thing', 'e1', ?)", (online,))
    entries = [(1, 1, TIMES[0], TIMES[0], 1, 1.0), (1, 1, TIMES[2], TIMES[2], 2, 2.0)]
    connection.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", entries)
    connection.execute("UPDATE state SET sequence = 2, entity = 1, epoch = 1")
    kept = zlib.compress(msgspec.msgpack.encode([request_body(request), {"score": 1}, rows]), 1)
    connection.execute("INSERT INTO snapshot VALUES (?, 2, 0, ?)", (name, kept))
    connection.close()
    return name


@pytest.mark.parametrize("compacted", [False, True])
def test_its_values_and_snapshots_stand(tmp_path: Path, compacted: bool) -> None:  # noqa: FBT001 - a parameter
    """Opened by this version it answers online, point-in-time and by its old names, before and after compaction."""
    name = first_store(tmp_path / FILE_NAME)
    store = LocalFeatureStore(tmp_path, VirtualClock(NOW))
    if compacted:
        store.care.compact()
        assert [found.in_log for found in store.care.stats()] == [0]
    assert store.care.losses() == []
    assert store.read(["e1"], ["score"], now=NOW)["e1"]["score"].value == 2.0
    table = store.reproduce(name)
    assert (table.snapshot_id, table.columns) == (name, {"score": [1.0, None, 2.0]})
    rows = (("e1", NOW - timedelta(days=2)),)
    assert store.training_read(TrainingRequest("thing", ("score",), {}, rows)).columns["score"] == [1.0]
    store.close()

"""Deleted features are gone: for every process, with their values, and for ever."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from worker.adapters.features.embedded import removal
from worker.adapters.features.embedded.encoding import unpack
from worker.adapters.features.local import FILE_NAME, LocalFeatureStore
from worker.errors import NotFound, Rejected
from worker.features.port import Definition, Status, TrainingRequest, Write

NOW = datetime(2021, 1, 1, tzinfo=UTC)
IDS = [f"e{number}" for number in range(5)]


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    store = LocalFeatureStore(tmp_path, lambda: NOW)
    for name in ("left", "right"):
        store.define(Definition(name, "thing", "number"))
        store.write([Write(one, name, 1.0, NOW - timedelta(days=1), NOW - timedelta(days=1)) for one in IDS])
    yield store
    store.close()


def left_over(directory: Path) -> tuple[int, set[int]]:
    """Return how many values the log holds, and which features' codes the online rows do."""
    with sqlite3.connect(directory / FILE_NAME) as connection:
        (entries,) = connection.execute("SELECT count(*) FROM entry").fetchone()
        rows = connection.execute("SELECT online FROM entity").fetchall()
    connection.close()
    return entries, {code for (online,) in rows for code in unpack(online)}


def test_nothing_of_its_values_is_left_in_the_file(store: LocalFeatureStore, tmp_path: Path) -> None:
    """The log and the packed rows hold the other feature only."""
    assert left_over(tmp_path) == (10, {1, 2})
    store.delete("left")
    assert left_over(tmp_path) == (5, {2})
    assert store.read(["e0"], ["right"], now=NOW)["e0"]["right"].status is Status.PRESENT


def test_another_process_sees_it_at_once(store: LocalFeatureStore, tmp_path: Path) -> None:
    """One that has read and written the feature before is told that there is none."""
    beside = LocalFeatureStore(tmp_path, lambda: NOW)
    beside.read(["e0"], ["left"], now=NOW)
    store.delete("left")
    with pytest.raises(NotFound, match="left"):
        beside.read(["e0"], ["left"], now=NOW)
    with pytest.raises(Rejected, match="left"):
        beside.write([Write("e0", "left", 2.0, NOW)])
    assert left_over(tmp_path) == (5, {2})
    beside.close()


def test_an_interrupted_deletion_is_finished_by_anyone(store: LocalFeatureStore, tmp_path: Path) -> None:
    """A process that died after the definition went leaves values that nobody sees, and the next clears them."""
    with store._database.writing() as connection:
        removal.retire(connection, Definition("left", "thing", "number", version=1), 1, 0)
    assert left_over(tmp_path) == (10, {1, 2})
    with pytest.raises(NotFound):
        store.read(["e0"], ["left"], now=NOW)
    assert removal.clear(store._database) == 1
    assert left_over(tmp_path) == (5, {2})
    assert removal.clear(store._database) == 0


def test_a_feature_of_the_same_name_begins_empty_with_the_next_version(store: LocalFeatureStore) -> None:
    """Neither its values nor its versions come back, and it may be of another type."""
    store.delete("left")
    assert store.define(Definition("left", "thing", "string")).version == 2
    assert store.read(["e0"], ["left"], now=NOW)["e0"]["left"].status is Status.MISSING
    store.write([Write("e0", "left", "word", NOW)])
    assert store.read(["e0"], ["left"], now=NOW)["e0"]["left"].value == "word"
    store.delete("left")
    assert store.define(Definition("left", "thing", "string")).version == 3


def test_a_kept_training_read_of_it_is_told_as_gone(store: LocalFeatureStore) -> None:
    """A snapshot that needs a deleted feature is an error, never a table without it."""
    table = store.training_read(TrainingRequest("thing", ("left", "right"), {}, (("e0", NOW),)))
    store.delete("left")
    with pytest.raises(NotFound, match="left"):
        store.reproduce(table.snapshot_id)
    store.define(Definition("left", "thing", "number"))
    with pytest.raises((NotFound, Rejected)):
        store.reproduce(table.snapshot_id)


def test_many_values_go_in_small_steps(store: LocalFeatureStore, tmp_path: Path) -> None:
    """More entities and values than one transaction clears are cleared all the same."""
    many = [f"m{number}" for number in range(2 * removal._ROWS + 1)]
    for day in (1, 2, 3, 4, 5):
        moment = NOW - timedelta(days=day)
        store.write([Write(one, "left", 1.0, moment, moment) for one in many])
    store.delete("left")
    assert left_over(tmp_path) == (5, {2})


def test_compaction_finishes_an_interrupted_deletion(store: LocalFeatureStore, tmp_path: Path) -> None:
    """What a process that died left of a feature is in no segment afterwards, either."""
    with store._database.writing() as connection:
        removal.retire(connection, Definition("left", "thing", "number", version=1), 1, 0)
    store._upkeep.compact()
    assert left_over(tmp_path) == (0, {2})
    with store._database.reading() as connection:
        assert connection.execute("SELECT cleared FROM retired").fetchall() == [(1,)]
        assert connection.execute("SELECT DISTINCT feature FROM segment").fetchall() == [(2,)]
    store.write([Write("e0", "right", 1.0, NOW - timedelta(days=1), NOW - timedelta(days=1))])
    assert [fact.values for fact in store.facts()] == [5]


def test_a_deleted_feature_leaves_its_segments_with_the_next_compaction(store: LocalFeatureStore) -> None:
    """Values that had left the log already are gone, too."""
    store._upkeep.compact()
    store.delete("left")
    store._upkeep.compact()
    with store._database.reading() as connection:
        assert connection.execute("SELECT DISTINCT feature FROM segment").fetchall() == [(2,)]
    assert len(list(store._archive.directory.glob("*"))) <= 2

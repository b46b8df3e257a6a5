"""How the embedded store keeps what was read: in time, in common, and without failing a read."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from worker.adapters.features.embedded.counting import Counter, kept
from worker.adapters.features.embedded.database import Database
from worker.adapters.features.local import LocalFeatureStore
from worker.errors import TryLater
from worker.features.port import ANYONE, Definition, Reader, Usage

NOW = datetime(2021, 1, 1, tzinfo=UTC)


@pytest.fixture(name="database")
def _database(tmp_path: Path) -> Iterator[Database]:
    store = LocalFeatureStore(tmp_path, lambda: NOW)
    store.define(Definition("left", "thing", "number"))
    yield store._database
    store.close()


def sums(database: Database) -> list[Usage]:
    """Return what is kept."""
    with database.reading() as connection:
        return kept(connection)


def impatient(database: Database) -> None:
    """Let the next transaction wait for a lock only a moment."""
    with database.reading() as connection:
        connection.execute("PRAGMA busy_timeout = 1")


def test_counts_are_kept_some_time_after_the_first_of_them(database: Database) -> None:
    """A timer keeps them, and runs again for those that come later."""
    counter = Counter(database, lambda: NOW, flush_s=0.01)
    for total in (1, 2, 3):
        counter.add(("left",), 1, ANYONE, NOW)
        deadline = time.monotonic() + 30
        while sums(database) != [Usage("left", ANYONE, total, NOW)]:
            assert time.monotonic() < deadline
            time.sleep(0.005)
    counter.close()


def test_many_threads_lose_no_count(database: Database) -> None:
    """What is counted while others flush is in the sum once."""
    counter = Counter(database, lambda: NOW, flush_s=0.001)

    def work() -> None:
        for _ in range(300):
            counter.add(("left",), 1, ANYONE, NOW)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        counter.flush()
    for thread in threads:
        thread.join(30)
    counter.close()
    deadline = time.monotonic() + 30
    while sums(database) != [Usage("left", ANYONE, 1200, NOW)]:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_store_that_cannot_be_written_keeps_counting(database: Database) -> None:
    """A fault loses nothing while the process lives, and at its end it is said."""
    counter = Counter(database, lambda: NOW, flush_s=60)
    counter.add(("left",), 2, ANYONE, NOW)
    holder = sqlite3.connect(database.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    impatient(database)
    with pytest.raises(TryLater):
        counter.flush()
    assert counter.counts.usages() == [Usage("left", ANYONE, 2, NOW)]
    impatient(database)
    with structlog.testing.capture_logs() as told:
        counter.close()
    assert [entry["event"] for entry in told] == ["usage was not kept"]
    holder.execute("ROLLBACK")
    holder.close()
    counter.flush()
    assert sums(database) == [Usage("left", ANYONE, 2, NOW)]


def test_a_feature_that_was_deleted_since_is_not_counted(tmp_path: Path) -> None:
    """Reads of it are dropped, so that a feature of the same name begins with none."""
    store = LocalFeatureStore(tmp_path, lambda: NOW)
    store.define(Definition("left", "thing", "number"))
    store.read(["x"], ["left"], now=NOW)
    store.delete("left")
    store.define(Definition("left", "thing", "number"))
    store.close()
    again = LocalFeatureStore(tmp_path, lambda: NOW)
    assert again.usage() == []
    again.close()


def test_accesses_that_nobody_takes_are_dropped_after_an_hour(tmp_path: Path) -> None:
    """Without a worker that announces them they do not pile up."""
    for hours in (0, 2):
        store = LocalFeatureStore(tmp_path, lambda hours=hours: NOW + timedelta(hours=hours))  # type: ignore[misc]
        store.define(Definition("left", "thing", "number"))
        store.read(["x"], ["left"], now=NOW + timedelta(hours=hours), reader=Reader("a", "b"))
        store.close()
    store = LocalFeatureStore(tmp_path, lambda: NOW)
    assert [access.minute for access in store.take_accesses(NOW + timedelta(days=1))] == [NOW + timedelta(hours=2)]
    store.close()

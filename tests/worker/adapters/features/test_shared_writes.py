"""Single writes that share transactions: durable, each with its own answer, from threads, asyncio and processes."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from worker.adapters.features.local import FILE_NAME, LocalFeatureStore
from worker.errors import Rejected
from worker.features.port import Definition, Write

NOW = datetime(2021, 1, 1, tzinfo=UTC)


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    store = LocalFeatureStore(tmp_path, lambda: NOW)
    store.define(Definition("score", "thing", "number", minimum=0, maximum=1000))
    yield store
    store.close()


def at(number: int) -> datetime:
    """Return the event time of the n-th value."""
    return NOW - timedelta(days=1) + timedelta(seconds=number)


def test_a_bad_value_of_one_caller_fails_no_neighbour(store: LocalFeatureStore) -> None:
    """Of many callers at once those with bad values are refused, each with its own reason, and the others stored."""
    told: dict[int, object] = {}

    def work(number: int) -> None:
        for count in range(20):
            value = -1.0 if number % 2 else float(count)
            try:
                told[number] = store.write([Write(f"e{number}", "score", value, at(count))])
            except Rejected as error:
                told[number] = error.field

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert told == {number: "value" if number % 2 else 1 for number in range(8)}
    read = store.read([f"e{number}" for number in range(8)], ["score"], now=NOW)
    assert [found["score"].value for found in read.values()] == [19.0, None] * 4


def test_values_that_a_definition_refuses_since_are_refused_alone(store: LocalFeatureStore, tmp_path: Path) -> None:
    """A definition that another process changed while callers wait holds for each of them."""
    holder = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    beside = LocalFeatureStore(tmp_path, lambda: NOW)
    store.write([Write("warm", "score", 1.0, at(0))])
    told: dict[float, object] = {}

    def work(value: float) -> None:
        try:
            told[value] = store.write([Write(f"e{value}", "score", value, at(1))])
        except Rejected as error:
            told[value] = error.field

    beside.define(Definition("score", "thing", "number", minimum=0, maximum=10))
    holder.execute("BEGIN IMMEDIATE")
    threads = [threading.Thread(target=work, args=(value,)) for value in (5.0, 500.0)]
    for thread in threads:
        thread.start()
    holder.execute("COMMIT")
    holder.close()
    for thread in threads:
        thread.join(60)
    beside.close()
    assert told == {5.0: 1, 500.0: "value"}


def test_asyncio_callers_write_through_threads(store: LocalFeatureStore) -> None:
    """Coroutines that write at once, each in a thread, are all told that their value is new, and read it at once."""

    async def write(number: int) -> int:
        new = await asyncio.to_thread(store.write, [Write(f"e{number}", "score", 1.0, at(number))])
        assert store.read([f"e{number}"], ["score"], now=NOW)[f"e{number}"]["score"].value == 1.0
        return new

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(write(number) for number in range(40)))

    assert asyncio.run(all_of_them()) == [1] * 40


def test_the_same_value_from_many_callers_is_new_to_one(store: LocalFeatureStore) -> None:
    """Duplicates inside one shared transaction are found, too."""
    told: list[int] = []
    write = Write("e", "score", 1.0, at(0), at(0))
    threads = [threading.Thread(target=lambda: told.append(store.write([write]))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(told) == [0] * 15 + [1]
    assert [fact.values for fact in store.facts()] == [1]


@pytest.mark.parametrize(("sync", "level"), [("full", 2), ("normal", 1)])
def test_the_policy_is_what_sqlite_is_told(tmp_path: Path, sync: str, level: int) -> None:
    """Every connection writes to the disk as the setting says; FULL survives a power cut."""
    store = LocalFeatureStore(tmp_path, lambda: NOW, sync=sync)
    store.definitions()
    assert {c.execute("PRAGMA synchronous").fetchone() for c in store._database._idle} == {(level,)}
    store.close()


def test_another_policy_is_refused(tmp_path: Path) -> None:
    """A word that is no policy is told with what may be said."""
    with pytest.raises(Rejected, match="full or normal"):
        LocalFeatureStore(tmp_path, lambda: NOW, sync="off")

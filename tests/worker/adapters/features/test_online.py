"""Online reads of the embedded store: what it remembers never shows, and an older store is read as before."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from worker.adapters.features.embedded import catalogue, online
from worker.adapters.features.embedded.schema import STEPS
from worker.adapters.features.local import FILE_NAME, LocalFeatureStore
from worker.errors import NotFound, Rejected
from worker.features.port import Definition, Reading, Status, TrainingRequest, Write

NOW = datetime(2021, 1, 1, tzinfo=UTC)
AT = NOW - timedelta(days=1)
MISSING = Reading(Status.MISSING)


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    store = LocalFeatureStore(tmp_path, lambda: NOW)
    for name in ("left", "right"):
        store.define(Definition(name, "thing", "number"))
    store.define(Definition("nick", "user", "string"))
    store.write([Write(f"e{number}", "left", float(number), AT, AT) for number in range(5)])
    yield store
    store.close()


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_batch_keeps_the_order_asked_and_answers_for_everyone(store: LocalFeatureStore, rounds: int) -> None:
    """Known, unknown and repeated ids, first read or remembered, come in the order of their first mention."""
    for _ in range(rounds):
        read = store.read(["e3", "nobody", "e0", "e3"], ["right", "left"], now=NOW)
    assert list(read) == ["e3", "nobody", "e0"]
    assert [list(found) for found in read.values()] == [["right", "left"]] * 3
    assert [found["left"].value for found in read.values()] == [3.0, None, 0.0]
    assert read["nobody"] == {"right": MISSING, "left": MISSING}
    assert store.read([], ["left"], now=NOW) == {}
    assert store.read(["nobody", "no one"], ["left"], now=NOW) == {
        "nobody": {"left": MISSING},
        "no one": {"left": MISSING},
    }


def test_answers_are_the_callers_own(store: LocalFeatureStore) -> None:
    """Who changes an answer changes no other."""
    for ids in (["nobody"], ["e1"], ["nobody", "e1"]):
        first = store.read(ids, ["left", "right"], now=NOW)
        first[ids[0]].clear()  # type: ignore[attr-defined]
        assert len(store.read(ids, ["left", "right"], now=NOW)[ids[0]]) == 2


def test_features_of_several_entities_are_read_at_once(store: LocalFeatureStore) -> None:
    """Each name fixes its entity; an id that is both is both."""
    store.write([Write("e1", "nick", "one", AT, AT)])
    read = store.read(["e1", "e2"], ["nick", "left"], now=NOW)
    assert {entity: [reading.value for reading in found.values()] for entity, found in read.items()} == {
        "e1": ["one", 1.0],
        "e2": [None, 2.0],
    }


def test_an_entity_that_is_gone_is_not_read_from_memory(store: LocalFeatureStore, tmp_path: Path) -> None:
    """One that was forgotten after it was read is missing, and one of the same id afterwards is another."""
    for ids in (["e1"], ["e1", "e2"]):
        store.read(ids, ["left"], now=NOW)
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("DELETE FROM entity WHERE id = 'e1'")
    connection.close()
    assert store.read(["e1"], ["left"], now=NOW)["e1"]["left"] == MISSING
    read = store.read(["e1", "e2"], ["left"], now=NOW)
    assert [read[entity]["left"].value for entity in ("e1", "e2")] == [None, 2.0]
    store.write([Write("e1", "left", 7.0, AT, AT)])
    for ids in (["e1"], ["e1", "e2"], ["e1"]):
        assert store.read(ids, ["left"], now=NOW)["e1"]["left"].value == 7.0


def test_what_is_remembered_is_bounded(store: LocalFeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many entities and combinations of names are read, memory does not grow with them."""
    monkeypatch.setattr(online, "_MOST_CODES", 3)
    monkeypatch.setattr(catalogue, "_MAX_PLANS", 2)
    for _ in range(2):
        for names in (["left"], ["right"], ["left", "right"], ["right", "left"]):
            for number in range(5):
                value = store.read([f"e{number}"], names, now=NOW)[f"e{number}"].get("left", MISSING).value
                assert value == (float(number) if "left" in names else None)
    assert all(len(codes) <= 3 for codes in store._reader._codes.values())
    assert len(store._known.seen.plans) <= 2


def test_a_definition_of_another_process_holds_for_the_next_read(store: LocalFeatureStore, tmp_path: Path) -> None:
    """A new feature, and a ttl that changed, are seen without a word between the processes."""
    beside = LocalFeatureStore(tmp_path, lambda: NOW)
    assert beside.read(["e1"], ["left"], now=NOW)["e1"]["left"].status is Status.PRESENT
    store.define(Definition("left", "thing", "number", ttl=timedelta(hours=1)))
    store.define(Definition("newest", "thing", "number"))
    assert beside.read(["e1"], ["left"], now=NOW)["e1"]["left"] == Reading(Status.EXPIRED, None, AT)
    assert beside.read(["e1", "e2"], ["newest", "left"], now=NOW)["e2"]["newest"] == MISSING
    beside.close()


@pytest.mark.parametrize(
    ("ids", "names", "error"),
    [
        (["e1"], ["nope"], NotFound),
        ([""], ["left"], Rejected),
        (["e1", 5], ["left"], Rejected),
        (["\ud800"], ["left"], Rejected),
    ],
)
def test_what_cannot_be_read_is_told(
    store: LocalFeatureStore, ids: list[str], names: list[str], error: type[Exception]
) -> None:
    """An unknown feature and what is no entity id are errors, in a batch, too."""
    with pytest.raises(error):
        store.read(ids, names, now=NOW)


def test_a_time_without_a_zone_is_refused(store: LocalFeatureStore) -> None:
    """Expiry needs to know when now is."""
    with pytest.raises(Rejected, match="zone"):
        store.read(["e1"], ["left"], now=datetime(2021, 1, 1))  # noqa: DTZ001 - no zone, on purpose


def test_a_store_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """Definitions, values, facts and versions are there, online and point-in-time, and it can be written on."""
    connection = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    STEPS[0](connection)
    body = {"entity": "thing", "type": "number", "source": "ingested", "group": "", "description": "", "owner": ""}
    connection.execute("INSERT INTO definition VALUES ('left', 1, ?)", (msgspec.json.encode(body | {"ttl": None}),))
    connection.execute("INSERT INTO feature VALUES (1, 'left')")
    at_us = int(AT.timestamp()) * 1_000_000
    for code, value in ((1, 1.5), (2, None)):
        packed = msgspec.msgpack.encode({1: (at_us, at_us, value)})
        connection.execute("INSERT INTO entity VALUES (?, 'thing', ?, ?)", (code, f"e{code}", packed))
        connection.execute("INSERT INTO entry VALUES (1, ?, ?, ?, ?, ?)", (code, at_us, at_us, code, value))
    connection.execute("UPDATE state SET sequence = 2, entity = 2, epoch = 1")
    connection.execute("PRAGMA user_version = 1")
    connection.close()

    store = LocalFeatureStore(tmp_path, lambda: NOW)
    read = store.read(["e1", "e2"], ["left"], now=NOW)
    assert [found["left"] for found in read.values()] == [
        Reading(Status.PRESENT, 1.5, AT),
        Reading(Status.NULL, None, AT),
    ]
    assert [(fact.values, fact.newest_event) for fact in store.facts()] == [(2, AT)]
    assert [one.version for one in store.versions("left")] == [1]
    assert store.write([Write("e1", "left", 1.5, AT, AT), Write("e1", "left", 2.5, NOW, NOW)]) == 1
    table = store.training_read(TrainingRequest("thing", ("left",), {}, (("e1", AT), ("e1", NOW))))
    assert table.columns["left"] == [1.5, 2.5]
    store.close()

"""What a write does to the wide table, beside other writes and definitions."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.worker.adapters.features.google.duck import DuckDatabase, DuckWarehouse
from worker.adapters.features.google.sql.tables import create_kept
from worker.adapters.features.google.store import GoogleFeatureStore
from worker.adapters.features.google.warehouse import MOST_ROWS, Params
from worker.adapters.features.local import LocalFeatureStore
from worker.errors import Conflict, Rejected
from worker.features.importing import import_file
from worker.features.mapping import ImportSpec
from worker.features.port import Definition, TrainingRequest, Write

NOW = datetime(2002, 10, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SCORE = Definition("score", "thing", "number")
WORD = Definition("word", "thing", "string")


class Warehouse(DuckWarehouse):
    """A warehouse in which something happens before each of the next transactions."""

    def __init__(self, database: DuckDatabase) -> None:
        """Nothing happens yet."""
        super().__init__(database)
        self.before: list[Any] = []

    def transact(self, statements: Sequence[str], answer: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """Let it happen, and run them."""
        if statements and self.before:
            self.before.pop()()
        return super().transact(statements, answer, params)


@pytest.fixture(name="warehouse")
def _warehouse() -> Warehouse:
    made = Warehouse(DuckDatabase())
    made.alter(create_kept(made.name))
    store = GoogleFeatureStore(made, lambda: NOW)
    for definition in (SCORE, WORD):
        store.define(definition)
    return made


def rows(warehouse: DuckWarehouse, columns: str) -> list[tuple[Any, ...]]:
    """Return columns of the wide table, in the order of writing."""
    return warehouse.query(f"SELECT {columns} FROM `store.entity_thing` ORDER BY write_sequence")  # noqa: S608 - ours


def test_features_of_one_entity_and_time_share_a_row(warehouse: Warehouse) -> None:
    """A row tells of both, an explicit NULL by its state, and of nothing that was not written."""
    store = GoogleFeatureStore(warehouse, lambda: NOW)
    store.write(
        [Write("a", "score", None, NOW, NOW), Write("a", "word", "x", NOW, NOW), Write("b", "word", "y", NOW, NOW)]
    )
    assert rows(warehouse, "entity_id, score, LEFT(score__state, 1), word, LEFT(word__state, 1)") == [
        ("a", None, "N", "x", "P"),
        ("b", None, None, "y", "P"),
    ]


def test_a_repeat_beside_something_new_leaves_only_the_new(warehouse: Warehouse) -> None:
    """The row of the second call does not tell of what stood already."""
    store = GoogleFeatureStore(warehouse, lambda: NOW)
    store.write([Write("a", "score", 1.0, NOW, NOW)])
    assert store.write([Write("a", "score", 1.0, NOW, NOW), Write("a", "word", "x", NOW, NOW)]) == 1
    assert rows(warehouse, "score, word") == [(1.0, None), (None, "x")]


def test_what_was_known_last_is_served_first(warehouse: Warehouse) -> None:
    """Of one event time, the serving timestamps are in the order of known-at, whatever the order of writing."""
    store = GoogleFeatureStore(warehouse, lambda: NOW)
    event = NOW - 9 * HOUR
    for known in (5, 3, 7, 1):
        store.write([Write("a", "score", float(known), event, NOW - known * HOUR)])
    store.write([Write("a", "score", 8.0, event, NOW - 8 * HOUR), Write("a", "score", 0.0, event, NOW)])
    store.write([Write("a", "score", 0.5, event, NOW), Write("a", "score", 0.6, event, NOW)])
    served = sorted(rows(warehouse, "UNIX_MICROS(serving_timestamp), score"))
    assert [score for _, score in served] == [8.0, 7.0, 5.0, 3.0, 1.0, 0.0, 0.5, 0.6]
    assert len({moment for moment, _ in served}) == len(served)


def test_many_rows_are_loaded_and_the_loaded_table_goes(warehouse: Warehouse) -> None:
    """More than fit a request are loaded first, with the same meaning: a second time nothing is new."""
    store = GoogleFeatureStore(warehouse, lambda: NOW)
    count = MOST_ROWS + 1
    values = [Write(f"e{number}", "score", float(number), NOW, NOW) for number in range(count)]
    assert store.write(values) == count
    assert store.write(values) == 0
    request = TrainingRequest("thing", ("score",), spine=tuple((one.entity_id, NOW) for one in values))
    table = store.training_read(request)
    assert table.columns["score"] == [float(number) for number in range(count)]
    assert store.reproduce(table.snapshot_id) == table
    left = warehouse.database.connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
    assert not [one for (one,) in left if one.startswith("loaded")]


@pytest.mark.parametrize("known", ["known_at", None])
def test_an_import_is_that_of_the_embedded_store(warehouse: Warehouse, tmp_path: Path, known: str | None) -> None:
    """A file with repeats, gaps, corrections and bad rows: the same counts and values, twice."""
    lines = ["entity_id,timestamp,known_at,score,word"]
    times = [f"2002-09-0{1 + row % 3}T00:00:00Z,2002-09-05T00:00:00Z" for row in range(900)]
    lines += [f"e{row % 300},{time},{row % 7 or ''},w{row % 2}" for row, time in enumerate(times)]
    lines += [f"e1,{times[0]},nothing,x", "e1,2999-01-01T00:00:00Z,2002-09-05T00:00:00Z,1,x"]
    (tmp_path / "values.csv").write_text("\n".join(lines))
    spec = ImportSpec("thing", "entity_id", "timestamp", known, ("score", "word"))
    google, local = GoogleFeatureStore(warehouse, lambda: NOW), LocalFeatureStore(tmp_path / "local", lambda: NOW)
    for definition in (SCORE, WORD):
        local.define(definition)
    ids = [f"e{number}" for number in range(300)]
    for _ in range(2):
        options = {"define": False, "progress": lambda _: None, "rejects": tmp_path / "rejects"}
        reports = [import_file(store, tmp_path / "values.csv", spec, **options) for store in (google, local)]
        assert reports[0] == reports[1]
    assert google.read(ids, ["score", "word"], now=NOW) == local.read(ids, ["score", "word"], now=NOW)
    assert google.facts() == local.facts()
    assert warehouse.database.statements
    local.close()


def test_a_definition_that_changes_meanwhile_is_checked_anew(warehouse: Warehouse) -> None:
    """Values that were right by the old definition are refused by the new one, and nothing of them is stored."""
    store, other = (GoogleFeatureStore(warehouse, lambda: NOW) for _ in range(2))
    assert store.write([Write("a", "score", 5.0, NOW)]) == 1
    warehouse.before.append(lambda: other.define(Definition("score", "thing", "number", maximum=10.0)))
    assert store.write([Write("b", "score", 5.0, NOW)]) == 1
    warehouse.before.append(lambda: other.define(Definition("score", "thing", "number", maximum=1.0)))
    with pytest.raises(Rejected, match="outside the range"):
        store.write([Write("c", "score", 5.0, NOW)])
    assert [row[0] for row in rows(warehouse, "entity_id")] == ["a", "b"]


def test_a_feature_that_is_deleted_meanwhile_takes_nothing(warehouse: Warehouse) -> None:
    """The write is told that there is none."""
    store, other = (GoogleFeatureStore(warehouse, lambda: NOW) for _ in range(2))
    store.definitions()
    warehouse.before.append(lambda: other.delete("score"))
    with pytest.raises(Rejected, match="not defined"):
        store.write([Write("a", "score", 5.0, NOW)])


def test_a_type_cannot_change_while_the_first_value_is_written(warehouse: Warehouse) -> None:
    """A value that comes in between the look and the change is noticed."""
    store, other = (GoogleFeatureStore(warehouse, lambda: NOW) for _ in range(2))
    other.definitions()
    warehouse.before.append(lambda: other.write([Write("a", "score", 5.0, NOW)]))
    with pytest.raises(Conflict, match="has values"):
        store.define(Definition("score", "thing", "string"))
    assert store.read(["a"], ["score"], now=NOW)["a"]["score"].value == 5.0


def test_threads_that_write_at_once_store_each_value_once(warehouse: Warehouse) -> None:
    """What several are told to be new is what there is, under as many sequences."""
    store = GoogleFeatureStore(warehouse, lambda: NOW)
    store.definitions()
    new: list[int] = []

    def work(number: int) -> None:
        new.extend(store.write([Write(f"e{(number + other) % 4}", "score", 1.0, NOW, NOW)]) for other in range(5))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(new) == 4
    assert len(set(rows(warehouse, "write_sequence"))) == len(rows(warehouse, "entity_id")) == 4
    assert store.facts()[0].values == 4


def test_counts_and_facts_do_not_read_the_history(warehouse: Warehouse) -> None:
    """Facts come from a table of a row per feature."""
    store = GoogleFeatureStore(warehouse, lambda: NOW)
    store.write([Write("a", "score", 5.0, NOW)])
    warehouse.database.statements.clear()
    assert store.facts()[0].values == 1
    assert not [one for one in warehouse.database.statements if "entity_thing" in one]

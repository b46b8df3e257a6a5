"""The prediction log between a prediction and the feature store."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from tests.worker.serving.kept import Heard, Kept
from worker.bee import BeeSpec
from worker.features.port import Definition
from worker.models.port import Scored
from worker.serving.live import Model
from worker.serving.log import PredictionLog, Rules, sampled
from worker.serving.served import Answer, Served
from worker.serving.shadows import Entry

NOW = datetime(2024, 1, 1, tzinfo=UTC)
BEE = BeeSpec.model_validate(
    {"bee": "spam-guard", "entity": "content", "label": "label", "features": ["size"], "metric": "f1"}
)


class Doubling:
    """Says twice the size; refuses a negative one."""

    metadata: Mapping[str, Any] = {}

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> list[Scored]:
        """Score rows."""
        if min(columns["size"]) < 0:
            raise ValueError("negative")
        return [Scored(2 * size, 0.5) for size in columns["size"]]


SHADOW = Model("2", Doubling(), {})


def _entry(name: str, size: float = 1.0, shadows: Sequence[Model] = (), prediction: Any = 1.0) -> Entry:
    values = {"size": size}
    return Entry(BEE, name, NOW, Served("1", {"1": Answer(prediction, 0.9)}, values), values, shadows)


def _log(store: Kept, heard: Heard, **rules: Any) -> PredictionLog:
    return PredictionLog(store, Rules(**{"every_s": 0.01, **rules}), heard)  # type: ignore[arg-type]


def _until(so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


def test_what_is_served_is_stored_in_the_background() -> None:
    """Predictions are in the store some time after they were made, with their features defined; each is counted."""
    store, heard = Kept(), Heard()
    log = _log(store, heard, keep=timedelta(days=90))
    for number in range(5):
        log.add(_entry(f"c{number}"))

    _until(lambda: heard.counts["logged", "spam-guard"] == 5)
    log.close()

    assert store.entities == [f"c{number}" for number in range(5)]
    assert {one.feature for one in store.values} == set(store.defined)
    assert {(one.entity, one.ttl) for one in store.defined.values()} == {("content", timedelta(days=90))}
    assert {(one.event_time, one.known_at) for one in store.values} == {(NOW, NOW)}
    assert set(heard.counts) == {("logged", "spam-guard")}


def test_the_end_of_the_process_waits_for_the_store() -> None:
    """What waits when the process ends is stored before it does; what comes later is counted as lost."""
    store, heard = Kept(), Heard()
    log = _log(store, heard, every_s=3600)
    for number in range(2500):
        log.add(_entry(f"c{number}"))
    log.close(patience_s=60)
    log.add(_entry("late"))

    assert len(store.entities) == 2500
    assert heard.counts["unlogged", "spam-guard", "shutdown"] == 1


def test_a_store_that_is_away_is_tried_again() -> None:
    """Nothing is lost while the store is away and the queue holds; a batch is not stored twice."""
    store, heard = Kept(away=True), Heard()
    log = _log(store, heard)
    log.add(_entry("a"))
    _until(lambda: heard.counts["loop", "colony-predictions"] >= 2)
    log.add(_entry("b"))
    store.away = False

    _until(lambda: heard.counts["logged", "spam-guard"] == 2)
    log.close()

    assert store.entities == ["a", "b"]


def test_a_full_queue_is_told() -> None:
    """What the queue does not hold is counted and warned of, once for many; what is in hand counts against it."""
    store, heard = Kept(), Heard()
    store.gate.clear()
    with structlog.testing.capture_logs() as said:
        log = _log(store, heard, queue=3)
        log.add(_entry("a"))
        assert store.reached.wait(60)
        for number in range(10):
            log.add(_entry(f"c{number}"))
        store.gate.set()
        log.close(patience_s=60)

    assert store.entities == ["a", "c0", "c1"]
    assert heard.counts["unlogged", "spam-guard", "full"] == 8
    warned = [line for line in said if line["event"] == "predictions are not logged"]
    assert [line["count"] for line in warned] == [1, 7]


def test_a_store_that_stays_away_at_the_end_is_told() -> None:
    """A process that ends while the store is away says how many predictions go with it."""
    store, heard = Kept(away=True), Heard()
    log = _log(store, heard)
    for number in range(7):
        log.add(_entry(f"c{number}"))
    log.close(patience_s=0.05)

    assert store.entities == []
    assert heard.counts["unlogged", "spam-guard", "shutdown"] == 7
    assert heard.counts["logged", "spam-guard"] == 0


def test_one_that_cannot_be_stored_does_not_hold_up_the_others() -> None:
    """A prediction that the store refuses, or that JSON cannot say, is lost alone."""
    store, heard = Kept(refused=("bad",)), Heard()
    log = _log(store, heard, every_s=3600)
    for entry in (_entry("a"), _entry("bad"), _entry("odd", prediction=object()), _entry("b")):
        log.add(entry)
    log.close(patience_s=60)

    assert store.entities == ["a", "b"]
    assert heard.counts["unlogged", "spam-guard", "refused"] == 2
    assert heard.counts["logged", "spam-guard"] == 2


def test_a_name_that_is_taken_is_told() -> None:
    """A bee whose log would write into somebody else's feature is not logged, and says so."""
    store, heard = Kept(), Heard()
    store.define(Definition("spam_guard_score", "user", "number"))
    log = _log(store, heard, every_s=3600)
    log.add(_entry("a"))
    with structlog.testing.capture_logs() as said:
        log.close(patience_s=60)

    assert store.values == []
    assert heard.counts["unlogged", "spam-guard", "refused"] == 1
    assert "spam_guard_score" in said[0]["why"]


def test_a_definition_that_stands_is_left_as_it_is() -> None:
    """Who has given the log another ttl keeps it."""
    store, heard = Kept(), Heard()
    mine = Definition("spam_guard_score", "content", "number", ttl=timedelta(days=7))
    store.define(mine)
    log = _log(store, heard, every_s=3600)
    log.add(_entry("a"))
    log.close(patience_s=60)

    assert store.entities == ["a"]
    assert store.defined["spam_guard_score"] == mine


def test_shadows_are_asked_for_what_they_can_answer() -> None:
    """A shadow's answer stands beside the one that was given; a row that it fails on is counted and stays without."""
    store, heard = Kept(), Heard()
    log = _log(store, heard, every_s=3600)
    for name, size in (("a", 1.0), ("bad", -1.0), ("b", 3.0)):
        log.add(_entry(name, size, [SHADOW]))
    log.close(patience_s=60)

    texts = {one.entity_id: one.value for one in store.values if one.feature == "spam_guard_served"}
    assert '"answers":{"1":[1.0,0.9],"2":[6.0,0.5]}' in str(texts["b"])
    assert '"answers":{"1":[1.0,0.9]}' in str(texts["bad"])
    assert (heard.counts["shadowed", "spam-guard", "2"], heard.counts["failed", "spam-guard", "2"]) == (2, 1)


def test_many_threads_log_at_once() -> None:
    """Each prediction of many threads is stored once."""
    store, heard = Kept(), Heard()
    log = _log(store, heard)
    start = threading.Barrier(8)

    def serve(number: int) -> None:
        start.wait(60)
        for turn in range(200):
            log.add(_entry(f"{number}-{turn}"))

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close(patience_s=60)

    assert len(store.entities) == len(set(store.entities)) == 1600
    assert heard.counts["logged", "spam-guard"] == 1600


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_sample_is_of_entities_and_times(share: float) -> None:
    """About the share asked for is logged, of each entity at some of its times, and always the same."""
    times = [NOW + timedelta(seconds=second) for second in range(50)]
    chosen = [(entity, at) for entity in map(str, range(40)) for at in times if sampled(share, entity, at)]

    assert len(chosen) == pytest.approx(2000 * share, abs=100)
    assert chosen == [(entity, at) for entity in map(str, range(40)) for at in times if sampled(share, entity, at)]
    assert len({entity for entity, _ in chosen}) == (40 if share else 0)

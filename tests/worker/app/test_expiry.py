"""Old predictions go by themselves, from a store that keeps its own files."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.worker.serving.logs import log
from worker.adapters.features.local import LocalFeatureStore
from worker.app.expiry import EVERY, Expiry
from worker.bee import BeeSpec
from worker.clock import VirtualClock
from worker.features.port import Definition, TrainingRequest, Write
from worker.serving.log import define
from worker.serving.logged import Logged

NOW = datetime(2024, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
BEE = BeeSpec.model_validate(
    {"bee": "spam-guard", "entity": "content", "label": "label", "features": ["size"], "metric": "f1"}
)


def _store(directory: Path, clock: VirtualClock) -> LocalFeatureStore:
    store = LocalFeatureStore(directory, clock)
    store.define(Definition("size", "content", "number", ttl=DAY))
    define(store, BEE, 90 * DAY)
    for days in (300, 100, 80, 1):
        at = NOW - days * DAY
        store.write([Write("a", "size", float(days), at, at)])
        log(store, BEE, "a", at)
        log(store, BEE, f"once{days}", at)
    return store


def _times(store: LocalFeatureStore) -> list[int]:
    found = Logged(store, BEE).predictions(NOW - 400 * DAY, NOW + DAY, NOW + DAY)
    return [(NOW - one.time).days for one in found if one.entity == "a"]


def test_predictions_go_with_the_ttl_of_their_log(tmp_path: Path) -> None:
    """What is older than the log's ttl is gone, the newest of an entity aside; other features keep everything."""
    store = _store(tmp_path, VirtualClock(NOW))

    gone = store.care.expire()

    assert _times(store) == [80, 1]
    assert gone.values == 2 * 4  # two predictions of `a`, four values each; those of others are their newest
    assert {one.feature: one.values for one in store.facts()}["size"] == 4
    assert store.care.expire().values == 0
    store.close()


def test_what_was_trained_on_a_log_can_be_read_again(tmp_path: Path) -> None:
    """A snapshot that rests on a logged prediction gives the same rows after that has gone."""
    store = _store(tmp_path, VirtualClock(NOW))
    request = TrainingRequest("content", ("spam_guard_score",), spine=(("a", NOW - 250 * DAY), ("a", NOW)))
    before = store.training_read(request)

    assert store.care.expire().snapshots == 1

    assert store.reproduce(before.snapshot_id) == before
    store.close()


def test_once_a_day_by_one_process(tmp_path: Path) -> None:
    """Who has the turn lets them go, and asks again later; who has it not lets them be."""
    clock, asked, may = VirtualClock(NOW), [], [False, True]
    store = _store(tmp_path, clock)

    def claim(name: str, owner: str, every: timedelta) -> bool:
        asked.append((name, owner, every))
        return may.pop(0)

    expiry = Expiry(store.care, claim, clock, "me")
    assert expiry.turn() == 0
    assert expiry.turn() == 0
    assert len(_times(store)) == 4
    clock.advance(NOW + timedelta(hours=2))
    assert expiry.turn() == 0
    assert len(_times(store)) == 2
    assert asked == [("predictions/expiry", "me", EVERY)] * 2
    store.close()

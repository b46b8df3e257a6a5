"""The prediction log is ordinary values of any backend: written by several processes, read back, compared, repeated."""

from datetime import datetime, timedelta

from tests.worker.adapters.features.conftest import START, World
from worker.bee import BeeSpec
from worker.features.port import Definition, Write
from worker.serving.log import PredictionLog, Rules
from worker.serving.logged import Logged
from worker.serving.port import Silent
from worker.serving.served import Answer, Served
from worker.serving.shadows import Entry
from worker.serving.skew import FeatureSkew, serving_skew

HOUR = timedelta(hours=1)
BEE = BeeSpec.model_validate(
    {"bee": "spam-guard", "entity": "content", "label": "label", "features": ["size"], "metric": "f1"}
)


def _entry(entity: str, at: datetime, size: float | None) -> Entry:
    answers = {"3": Answer(1.0, 0.75), "4": Answer("蜂", None)}
    return Entry(BEE, entity, at, Served("3", answers, {"size": size}), {"size": size})


def test_what_was_served_is_in_the_store(world: World) -> None:
    """Two processes log at once, one of them twice the same; a third reads each prediction once, and finds the skew."""
    world.store.define(Definition("size", "content", "number"))
    world.store.write([Write("c1", "size", 2.0, START, START)])
    now = world.later(hours=2)
    replicas = [PredictionLog(world.again(), Rules(every_s=3600), Silent()) for _ in range(2)]
    for entity, size in (("c1", 2.0), ("c2", None), ("c3", 5.0)):
        for replica in replicas:
            replica.add(_entry(entity, now - HOUR, size))
    replicas[1].add(_entry("c1", now, 2.0))
    for replica in replicas:
        replica.close(patience_s=120)

    other = world.again()
    found = list(Logged(other, BEE).predictions(START, now + HOUR, now))

    assert [(one.entity, one.version, one.prediction, one.score) for one in found if one.time == now - HOUR] == [
        ("c1", "3", 1.0, 0.75),
        ("c1", "4", "蜂", None),
        ("c2", "3", 1.0, 0.75),
        ("c2", "4", "蜂", None),
        ("c3", "3", 1.0, 0.75),
        ("c3", "4", "蜂", None),
    ]
    assert [one.entity for one in found if one.time == now] == ["c1", "c1"]
    assert serving_skew(other, BEE, START, now + HOUR) == [FeatureSkew("spam-guard", "size", 4, 1, only_served=1)]
    online = other.read(["c1"], ["spam_guard_score", "spam_guard_version"], now=now)["c1"]
    assert [one.value for one in online.values()] == [0.75, "3"]
    assert {one.feature: one.values for one in other.facts()}["spam_guard_served"] == 4

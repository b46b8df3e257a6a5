"""A bee that learns from a computed feature, by the ordinary steps, and predicts with it online."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from handlers.commands.predict import PredictionServer
from tests.worker import world
from worker.adapters.features.local import LocalFeatureStore
from worker.adapters.models.local import LocalArtifacts
from worker.adapters.models.skops_format import SkopsFormat
from worker.bee import BeeSpec
from worker.features.port import Definition, Write
from worker.models.port import Artifact, Deployment

END = datetime(2002, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FEATURES = (
    Definition("engagement", "user", "number"),
    Definition("account_age", "user", "number"),
    Definition("loyal", "user", "number"),
    Definition("rate", "user", "number", source="computed", computation="sum(engagement over 10d) / account_age"),
)
BEE = BeeSpec.model_validate(
    {
        "bee": "loyalty",
        "task": "binary",
        "entity": "user",
        "label": "loyal",
        "positive": 1.0,
        "features": ["rate", "account_age"],
        "metric": "f1",
        "window": "30d",
        "trainer": {"type": "tabular", "algorithm": "logistic_regression"},
    }
)


def _user(name: str, draw: random.Random) -> Iterator[Write]:
    """Yield a user whose recent engagement, by age, decides the label; old engagement means nothing."""
    seen = END - DAY * draw.uniform(0.1, 25)
    age = draw.uniform(50, 500)
    rate = draw.choice([0.2, 0.4, 1.6, 1.9])
    times = [(seen - DAY * draw.uniform(0, 9.9), rate * age / 4) for _ in range(4)]
    times += [(seen - DAY * draw.uniform(10, 30), draw.uniform(0, 1000)) for _ in range(4)]
    for time, value in times:
        yield Write(name, "engagement", value, time, time)
    yield Write(name, "account_age", age, seen - DAY * 12, seen - DAY * 12)
    yield Write(name, "loyal", float(rate > 1), seen, seen)


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    store = LocalFeatureStore(tmp_path / "features", clock=lambda: END)
    for definition in FEATURES:
        store.define(definition)
    draw = random.Random(7)
    store.write([write for number in range(600) for write in _user(f"u{number}", draw)])
    now = [(name, total, 100.0) for name, total in (("keen", 180.0), ("idle", 20.0))]
    for name, total, age in now:
        old = Write(name, "engagement", 5000.0, END - 11 * DAY)
        new = [Write(name, "engagement", total / 2, END - days * DAY) for days in (1, 2)]
        store.write([old, *new, Write(name, "account_age", age, END - 3 * DAY)])
    yield store
    store.close()


def test_a_bee_trains_on_a_computed_feature_and_predicts_with_it(
    new_runner: Any, store: LocalFeatureStore, artifacts: LocalArtifacts, tmp_path: Path
) -> None:
    """The model learns what only the window tells, and the same window is computed for a prediction."""
    runner = new_runner(features=store)
    outcome = runner.run(runner.frozen(BEE, "2002-10-01T00:00:00Z"))
    assert outcome["verdict"] == "deployable", outcome["reason"]
    assert outcome["gate"]["challenger"] > 0.95

    challenger = outcome["challenger"]
    ledger = world.new_ledger(tmp_path)
    with ledger.begin() as transaction:
        artifact = Artifact(challenger["uri"], challenger["sha256"])
        transaction.models.add(world.version("1", BEE.bee, artifact=artifact, lineage=outcome["lineage"]))
        transaction.models.deploy(Deployment(BEE.bee, 1, "1", None, END, "", None))
    server = PredictionServer(ledger, store, artifacts, SkopsFormat())
    answers = {name: server.predict(BEE, END, entity_id=name) for name in ("keen", "idle", "nobody")}
    ledger.close()
    assert [answers[name]["prediction"] for name in ("keen", "idle")] == [1.0, 0.0]
    assert answers["keen"]["missing"] == []
    assert answers["nobody"]["missing"] == ["rate", "account_age"]

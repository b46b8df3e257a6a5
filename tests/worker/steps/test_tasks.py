"""Runs on a small synthetic set: each kind of column, each task, slices, refit and bad hyperparameters."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worker.adapters.features.local import LocalFeatureStore
from worker.adapters.models.skops_format import SkopsFormat
from worker.bee import BeeSpec
from worker.errors import Rejected
from worker.features.port import Definition, LabelWindow, TrainingRequest, Write
from worker.steps.files import local_path, read_json
from worker.steps.scoring import score_table

START = datetime(2024, 1, 1, tzinfo=UTC)
TYPES = {
    "amount": "number",
    "member": "boolean",
    "country": "string",
    "story": "string",
    "place": "vector",
    "fraud": "number",
    "grade": "string",
    "price": "number",
}
WORDS = ("quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "tonight")


def _values(index: int, random: np.random.Generator) -> dict[str, Any]:
    amount, member = float(random.normal()), bool(random.random() < 0.5)
    country = str(random.choice(["de", "fr", "it"]))
    story = " ".join(random.choice(WORDS, 6)) + (" win money" if index % 3 == 0 else "")
    wanted = amount + (1.0 if member else -1.0) + (2.0 if "money" in story else -1.0)
    return {
        "amount": None if index % 11 == 0 else amount,
        "member": None if index % 13 == 0 else member,
        "country": None if index % 17 == 0 else country,
        "story": story,
        "place": [amount, float(random.normal())],
        "fraud": float(wanted > 0),
        "grade": "low" if wanted < -1 else "high" if wanted > 1 else "middle",
        "price": 3 * wanted + float(random.normal()) / 10,
    }


@pytest.fixture(scope="module", name="store")
def _store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFeatureStore]:
    store = LocalFeatureStore(tmp_path_factory.mktemp("synthetic"), clock=lambda: datetime.now(UTC))
    random = np.random.default_rng(5)
    for name, kind in TYPES.items():
        store.define(Definition(name, "order", kind))
    moments = [START + timedelta(hours=index) for index in range(700)]
    store.write(
        Write(f"o{index}", name, value, moment, moment)
        for index, moment in enumerate(moments)
        for name, value in _values(index, random).items()
    )
    yield store
    store.close()


def _bee(**more: Any) -> BeeSpec:
    spec = {
        "bee": "shop",
        "task": "binary",
        "entity": "order",
        "label": "fraud",
        "features": ["amount", "member", "country", "story", "place"],
        "metric": "roc_auc",
        "window": "60d",
        "trainer": {"algorithm": "logistic_regression"},
        "gate": {"resamples": 200},
    }
    return BeeSpec.model_validate(spec | more)


AS_OF = "2024-02-15T00:00:00Z"


def test_every_kind_of_column_is_learned_from(new_runner: Any, store: LocalFeatureStore) -> None:
    """Text, category, number, boolean and vector columns, with gaps, give a model that beats the baseline."""
    runner = new_runner(store)
    bee = _bee(trainer={"algorithm": "auto"}, gate={"resamples": 200, "slices": ["country", "amount"]})
    outcome = runner.run(runner.frozen(bee, AS_OF))
    predictor = SkopsFormat().load(runner.paths["model"], outcome["challenger"]["sha256"])

    assert outcome["verdict"] == "deployable", outcome["reason"]
    assert predictor.metadata["kinds"] == {
        "amount": "number",
        "member": "boolean",
        "country": "category",
        "story": "text",
        "place": "vector:2",
    }
    assert set(predictor.metadata["validation"]) == {"logistic_regression", "random_forest", "hist_gradient_boosting"}
    assert outcome["gate"]["challenger"] > 0.9
    assert {item["column"] for item in outcome["gate"]["slices"]} == {"country", "amount"}
    assert predictor.predict({"country": ["xx"], "amount": [None]})[0].score is not None


def test_a_champion_that_is_better_on_a_slice_is_kept(new_runner: Any, store: LocalFeatureStore) -> None:
    """A challenger that loses on one country beyond the tolerance is refused, and the slice is named."""
    runner = new_runner(store)
    first = runner.run(runner.frozen(_bee(), "2024-01-25T00:00:00Z"))
    told = {name: first["challenger"][name] for name in ("uri", "sha256", "trainedUntil")}
    bee = _bee(features=["place"], gate={"resamples": 200, "slices": ["country"], "maxSliceLoss": 0.01})
    champion = {"version": "1", "baseline": {}, "features": list(_bee().features), **told}
    runner = new_runner(store)
    outcome = runner.run(runner.frozen(bee, AS_OF, champion=champion))

    assert outcome["verdict"] == "rejected"
    assert "slice country=" in outcome["reason"]
    assert outcome["gate"]["championMissing"] == []


def test_a_champion_without_its_features_is_no_fair_opponent(new_runner: Any, store: LocalFeatureStore) -> None:
    """If the rows lack a feature that the champion needs, the gate refuses and names it."""
    runner = new_runner(store)
    first = runner.run(runner.frozen(_bee(), "2024-01-25T00:00:00Z"))
    told = {name: first["challenger"][name] for name in ("uri", "sha256", "trainedUntil")}
    runner = new_runner(store)
    bee = _bee(features=["amount", "member", "story", "place"])
    outcome = runner.run(runner.frozen(bee, AS_OF, champion={"version": "1", "baseline": {}, **told}))

    assert outcome["verdict"] == "rejected"
    assert "without its features country" in outcome["reason"]


def test_regression(new_runner: Any, store: LocalFeatureStore) -> None:
    """A regression is trained, judged by a metric that falls, and beats the mean."""
    runner = new_runner(store)
    bee = _bee(task="regression", label="price", metric="rmse", trainer={"algorithm": "auto"})
    outcome = runner.run(runner.frozen(bee, AS_OF))
    gate = outcome["gate"]

    assert outcome["verdict"] == "deployable", outcome["reason"]
    assert gate["challenger"] < gate["champion"]
    assert gate["lower"] > 0
    assert gate["positives"] is None


def test_multiclass(new_runner: Any, store: LocalFeatureStore) -> None:
    """A label of three words is learned, and predictions are those words."""
    runner = new_runner(store)
    bee = _bee(task="multiclass", label="grade", metric="f1_macro", trainer={"algorithm": "random_forest"})
    outcome = runner.run(runner.frozen(bee, AS_OF))
    predictor = SkopsFormat().load(local_path(outcome["challenger"]["uri"]), outcome["challenger"]["sha256"])

    assert outcome["verdict"] == "deployable", outcome["reason"]
    assert predictor.predict({"amount": [9.0], "story": ["win money"]})[0].prediction in {"low", "middle", "high"}


def test_refit_registers_the_model_of_the_whole_window(new_runner: Any, store: LocalFeatureStore) -> None:
    """With `refit` the registered model has seen the hold-out, and the lineage says so."""
    runner = new_runner(store)
    bee = _bee(trainer={"algorithm": "logistic_regression", "refit": True})
    outcome = runner.run(runner.frozen(bee, AS_OF))

    assert outcome["verdict"] == "deployable"
    assert outcome["lineage"]["refit"] is True
    assert outcome["lineage"]["scoredSha256"] != outcome["challenger"]["sha256"]
    assert outcome["challenger"]["trainedUntil"] == outcome["gate"]["holdoutEnd"]
    assert outcome["gate"]["challengerTrainedUntil"] < outcome["gate"]["holdoutStart"]


def test_hyperparameters_reach_the_model(new_runner: Any, store: LocalFeatureStore) -> None:
    """Numbers that JSON made floats are whole again, and the lineage says where they are from."""
    runner = new_runner(store)
    bee = _bee(trainer={"algorithm": "random_forest", "hyperparameters": {"n_estimators": 7.0, "max_depth": 3.0}})
    run = runner.frozen(bee, AS_OF)
    for name in ("data_collection", "data_preprocessing", "training"):
        runner.step(name, run)
    report = read_json(runner.paths["report"])

    assert report["hyperparameters"] == {"n_estimators": 7.0, "max_depth": 3.0}
    assert report["hyperparametersFrom"] == "bee"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trainer": {"algorithm": "random_forest", "hyperparameters": {"trees": 7}}}, "trees"),
        ({"trainer": {"algorithm": "random_forest", "hyperparameters": {"n_estimators": -7}}}, "n_estimators"),
        ({"trainer": {"algorithm": "auto", "hyperparameters": {"n_estimators": 7}}}, "auto"),
        ({"trainer": {"algorithm": "ridge"}}, "ridge"),
        ({"metric": "rmse"}, "rmse"),
        ({"label": "grade"}, "multiclass"),
    ],
)
def test_a_spec_that_cannot_be_trained_is_rejected(
    new_runner: Any, store: LocalFeatureStore, change: dict[str, Any], words: str
) -> None:
    """A fault of the bee's spec is Rejected with the field and the mend, not a crash and not a verdict."""
    runner = new_runner(store)
    run = runner.frozen(_bee(**change), AS_OF)
    runner.step("data_collection", run)
    runner.step("data_preprocessing", run)

    with pytest.raises(Rejected, match=words):
        runner.step("training", run)


def test_score_table_tells_undefined_from_bad(new_runner: Any, store: LocalFeatureStore) -> None:
    """On a window without positives F1 is None and the counts are right; an empty window has no metrics at all."""
    runner = new_runner(store)
    bee = _bee(metric="f1")
    outcome = runner.run(runner.frozen(bee, AS_OF))
    predictor = SkopsFormat().load(Path(runner.paths["model"]), outcome["lineage"]["scoredSha256"])
    window = LabelWindow("fraud", START, START + timedelta(days=10))
    table = store.training_read(TrainingRequest("order", bee.features, label=window))
    scored = score_table(predictor, table, bee)
    negatives = [None if value else value for value in table.columns["fraud"]]
    columns = {**table.columns, "fraud": negatives}
    without = score_table(predictor, type(table)("s", table.entity_ids, table.times, columns, {}), bee)

    assert scored["sampleCount"] == 240
    assert 0 < scored["positiveCount"] < 240
    assert math.isfinite(scored["metrics"]["f1"])
    assert without["metrics"]["f1"] is None
    assert without["metrics"]["roc_auc"] is None
    assert without["metrics"]["accuracy"] is not None
    assert without["positiveCount"] == 0
    empty = type(table)("s", [], [], {name: [] for name in columns}, {})
    assert score_table(predictor, empty, bee)["metrics"]["f1"] is None

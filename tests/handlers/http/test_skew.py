"""Predictions for a model that was trained with other feature definitions, over HTTP."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from handlers.commands.predict import PredictionServer
from tests.handlers.commands.models import Artifacts, Format
from tests.handlers.http.api import Parts
from tests.worker import world
from tests.worker.world import BEE, NOW
from worker.adapters.features.local import LocalFeatureStore
from worker.features.port import Definition, Write
from worker.features.skew import Guard
from worker.models.port import Artifact, Deployment

DEFINITIONS = (
    Definition("spam_probability", "content", "number"),
    Definition("user_id", "content", "string"),
    Definition("user_reputation_score", "user", "number"),
)
TRAINED = {item.name: 1 for item in DEFINITIONS} | {"label": 1}
PREDICT = f"models/{BEE.bee}/predict"


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    store = LocalFeatureStore(tmp_path / "features", clock=lambda: NOW)
    for definition in DEFINITIONS:
        store.define(definition)
    at = NOW - timedelta(days=1)
    store.write([Write("c1", "spam_probability", 0.7, at), Write("c1", "user_id", "u1", at)])
    yield store
    store.close()


def parts(tmp_path: Path, store: LocalFeatureStore, guard: Guard, trained: dict[str, int]) -> Parts:
    """Return an API whose model was trained with these versions."""
    ledger, file = world.new_ledger(tmp_path), tmp_path / "model"
    file.write_text("1")
    with ledger.begin() as transaction:
        lineage = {"definitions": trained}
        transaction.models.add(world.version(artifact=Artifact(str(file), "x"), state="deployed", lineage=lineage))
        transaction.models.deploy(Deployment(BEE.bee, 1, "1", None, NOW, "", None))
    return Parts(ledger, store, PredictionServer(ledger, store, Artifacts(tmp_path), Format(), skew=guard))


@pytest.mark.parametrize("guard", list(Guard))
def test_the_versions_it_was_trained_with_are_served_without_a_word(
    tmp_path: Path, store: LocalFeatureStore, guard: Guard
) -> None:
    """Nothing changed, so nothing is told; a label that is not defined any more is not read, and does not count."""
    answer = parts(tmp_path, store, guard, TRAINED).client().post(PREDICT, json={"entityId": "c1"})
    assert answer.status_code == 200
    assert answer.json()["warnings"] == []


@pytest.mark.parametrize(("guard", "status"), [(Guard.AUTO, 409), (Guard.REFUSE, 409), (Guard.WARN, 200)])
@pytest.mark.parametrize("number", range(3))
def test_another_meaning(tmp_path: Path, store: LocalFeatureStore, guard: Guard, status: int, number: int) -> None:
    """A changed ttl of a feature, of the way to the author, or of the author's, is refused or told by setting."""
    changed = store.define(replace(DEFINITIONS[number], ttl=timedelta(days=9)))
    answer = parts(tmp_path, store, guard, TRAINED).client().post(PREDICT, json={"entityId": "c1"})
    assert answer.status_code == status
    said = f"{changed.name} was version 1 and is 2, with another meaning"
    assert said in (answer.json()["detail"] if status == 409 else answer.json()["warnings"][0])


@pytest.mark.parametrize(("guard", "status"), [(Guard.AUTO, 200), (Guard.REFUSE, 409), (Guard.WARN, 200)])
def test_other_words(tmp_path: Path, store: LocalFeatureStore, guard: Guard, status: int) -> None:
    """A changed description is told, and refused only by the strict setting."""
    store.define(replace(DEFINITIONS[0], description="x"))
    answer = parts(tmp_path, store, guard, TRAINED).client().post(PREDICT, json={"entityId": "c1"})
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["warnings"] == ["spam_probability was version 1 and is 2, with the same meaning"]
        assert answer.json()["prediction"] == 1.0


def test_a_deleted_feature_is_refused(tmp_path: Path, store: LocalFeatureStore) -> None:
    """What the model reads must still be there."""
    store.delete("user_reputation_score")
    answer = parts(tmp_path, store, Guard.AUTO, TRAINED).client().post(PREDICT, json={"entityId": "c1"})
    assert answer.status_code == 409
    assert "not defined any more" in answer.json()["detail"]


def test_a_deprecated_feature_is_served(tmp_path: Path, store: LocalFeatureStore) -> None:
    """To deprecate is to say something to people; models in production go on."""
    store.define(replace(DEFINITIONS[0], deprecated="use another"))
    answer = parts(tmp_path, store, Guard.REFUSE, TRAINED).client().post(PREDICT, json={"entityId": "c1"})
    assert (answer.status_code, answer.json()["warnings"]) == (200, [])


def test_given_features_are_not_guarded(tmp_path: Path, store: LocalFeatureStore) -> None:
    """Who gives the values has not read them from the store."""
    store.define(replace(DEFINITIONS[0], ttl=timedelta(days=9)))
    asked = {"features": {"spam_probability": 0.5}}
    answer = parts(tmp_path, store, Guard.REFUSE, TRAINED).client().post(PREDICT, json=asked)
    assert answer.status_code == 200


def test_a_model_that_does_not_say_what_it_was_trained_with_is_served(tmp_path: Path, store: LocalFeatureStore) -> None:
    """One that was adopted from elsewhere has nothing to compare with."""
    store.define(replace(DEFINITIONS[0], ttl=timedelta(days=9)))
    answer = parts(tmp_path, store, Guard.REFUSE, {}).client().post(PREDICT, json={"entityId": "c1"})
    assert answer.status_code == 200


def test_the_change_counts_from_the_next_prediction_on(tmp_path: Path, store: LocalFeatureStore) -> None:
    """A server that has predicted before sees a definition that another process changed, and one that is put back."""
    client = parts(tmp_path, store, Guard.AUTO, TRAINED).client()
    beside = LocalFeatureStore(tmp_path / "features", clock=lambda: NOW)
    assert client.post(PREDICT, json={"entityId": "c1"}).status_code == 200
    beside.define(replace(DEFINITIONS[0], ttl=timedelta(days=9)))
    assert client.post(PREDICT, json={"entityId": "c1"}).status_code == 409
    beside.define(DEFINITIONS[0])
    back = client.post(PREDICT, json={"entityId": "c1"})
    assert back.json()["warnings"] == ["spam_probability was version 1 and is 3, with the same meaning"]
    beside.close()


def test_reads_are_counted_for_the_model(tmp_path: Path, store: LocalFeatureStore) -> None:
    """Usage tells which model read what for serving."""
    parts(tmp_path, store, Guard.AUTO, TRAINED).client().post(PREDICT, json={"entityId": "c1"})
    assert {(item.feature, *item.reader, item.reads) for item in store.usage()} == {
        (item.name, f"model:{BEE.bee}", "serving", 1) for item in DEFINITIONS
    }

import math
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from handlers.commands.predict import PredictionServer
from handlers.commands.rollback_model import rollback_model
from tests.handlers.commands.models import Artifacts, Format, Shelf
from tests.worker import world
from tests.worker.world import BEE, NOW
from worker.adapters.features.local import LocalFeatureStore
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import NotFound, Rejected
from worker.features.port import Definition, Write
from worker.models.port import Artifact, Deployment


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    store = LocalFeatureStore(tmp_path / "features", clock=lambda: NOW)
    for name, entity, type_ in (
        ("spam_probability", "content", "number"),
        ("user_id", "content", "string"),
        ("user_reputation_score", "user", "number"),
    ):
        store.define(Definition(name, entity, type_, ttl=timedelta(days=30)))
    at = NOW - timedelta(days=1)
    store.write(
        [
            Write("c1", "spam_probability", 0.7, at),
            Write("c1", "user_id", "u1", at),
            Write("u1", "user_reputation_score", 0.2, at),
            Write("c2", "spam_probability", 0.9, NOW - timedelta(days=31)),
        ]
    )
    yield store
    store.close()


@pytest.fixture(name="format_")
def _format() -> Format:
    return Format()


@pytest.fixture(name="server")
def _server(ledger: SqlLedger, store: LocalFeatureStore, format_: Format, tmp_path: Path) -> PredictionServer:
    return PredictionServer(ledger, store, Artifacts(tmp_path), format_)


def _deploy(ledger: SqlLedger, tmp_path: Path, digit: int) -> None:
    file = tmp_path / f"{digit}.model"
    file.write_text(str(digit))
    with ledger.begin() as transaction:
        champion = transaction.models.champion(BEE.bee)
        transaction.models.add(world.version(str(digit), artifact=Artifact(str(file), "x")))
        epoch, previous = (champion.epoch, champion.version) if champion else (0, None)
        transaction.models.deploy(Deployment(BEE.bee, epoch + 1, str(digit), previous, NOW, "", None))


def test_given_features(server: PredictionServer, ledger: SqlLedger, tmp_path: Path, format_: Format) -> None:
    """Features that are given are scored as they are; those that are not are named as missing."""
    _deploy(ledger, tmp_path, 1)

    answer = server.predict(BEE, NOW, features={"spam_probability": 0.5})

    assert answer == {"prediction": 1.0, "score": 0.5, "version": "1", "missing": ["user_reputation_score"]}
    assert format_.last is not None
    assert format_.last.asked[-1:] == [{"spam_probability": [0.5], "user_reputation_score": [None]}]


def test_features_of_several_entities(
    server: PredictionServer, ledger: SqlLedger, tmp_path: Path, format_: Format
) -> None:
    """An entity's features are read online, those of its user through the link."""
    _deploy(ledger, tmp_path, 1)

    answer = server.predict(BEE, NOW, entity_id="c1")

    assert answer["missing"] == []
    assert format_.last is not None
    assert format_.last.asked[-1:] == [{"spam_probability": [0.7], "user_reputation_score": [0.2]}]


@pytest.mark.parametrize("entity", ["c2", "nobody", "蜂"])
def test_expired_and_unknown(server: PredictionServer, ledger: SqlLedger, tmp_path: Path, entity: str) -> None:
    """An expired value and an entity that nobody knows are missing, never guessed."""
    _deploy(ledger, tmp_path, 1)

    answer = server.predict(BEE, NOW, entity_id=entity)

    assert answer["missing"] == ["spam_probability", "user_reputation_score"]


def test_a_new_deployment_is_served_at_once(
    server: PredictionServer, ledger: SqlLedger, tmp_path: Path, format_: Format
) -> None:
    """The model is loaded once per deployment, and each change of production is seen by the next prediction."""
    versions = []
    for change in (
        lambda: _deploy(ledger, tmp_path, 1),
        lambda: None,
        lambda: _deploy(ledger, tmp_path, 2),
        lambda: rollback_model(world.operator(ledger), BEE.bee, Shelf(), reason="x"),
    ):
        change()
        versions.append(server.predict(BEE, NOW, features={})["version"])

    assert versions == ["1", "1", "2", "1"]
    assert format_.loads == 3


def test_no_model(server: PredictionServer) -> None:
    """A bee without a model in production predicts nothing."""
    with pytest.raises(NotFound, match="no model in production"):
        server.predict(BEE, NOW, features={})


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "entityId"),
        ({"entity_id": "c1", "features": {"spam": 1}}, "features"),
        ({"features": {"spam": 1, "ham": 2}}, "features"),
        ({"features": {"spam_probability": "high"}}, "features.spam_probability"),
        ({"features": {"spam_probability": True}}, "features.spam_probability"),
        ({"features": {"spam_probability": [0.1]}}, "features.spam_probability"),
        ({"features": {"spam_probability": math.nan}}, "features.spam_probability"),
        ({"features": {"spam_probability": math.inf}}, "features.spam_probability"),
        ({"features": {"spam_probability": 10**400}}, "features.spam_probability"),
    ],
)
def test_wrong_requests(
    server: PredictionServer, ledger: SqlLedger, tmp_path: Path, asked: dict[str, Any], field: str
) -> None:
    """What cannot be scored is refused by the name of the feature, before any model sees it."""
    _deploy(ledger, tmp_path, 1)

    with pytest.raises(Rejected) as error:
        server.predict(BEE, NOW, **asked)

    assert error.value.field == field
    assert error.value.mend


def test_null_is_missing(server: PredictionServer, ledger: SqlLedger, tmp_path: Path) -> None:
    """A feature given as null is missing."""
    _deploy(ledger, tmp_path, 1)

    answer = server.predict(BEE, NOW, features={"spam_probability": None, "user_reputation_score": 1})

    assert answer["missing"] == ["spam_probability"]

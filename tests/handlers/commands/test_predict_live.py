"""Predictions while more than one version is live: who answers, who is asked beside, and what is logged of it."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from handlers.commands.predict import PredictionServer
from tests.handlers.commands.models import Artifacts
from tests.worker import world
from tests.worker.serving.kept import Heard
from tests.worker.world import BEE, NOW
from worker.adapters.features.local import LocalFeatureStore
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import Conflict, Rejected
from worker.features.port import Definition, Write
from worker.features.skew import Guard
from worker.models.port import Artifact, Deployment, Scored
from worker.models.traffic import Traffic
from worker.serving.log import PredictionLog, Rules
from worker.serving.logged import Logged, LoggedPrediction
from worker.serving.skew import FeatureSkew, serving_skew

SECOND = timedelta(seconds=1)
ENTITIES = [f"c{number}" for number in range(40)]


@dataclass
class Model:
    """Says its word for each row; one that is called `broken` fails, one called `picky` knows no missing values."""

    word: str
    metadata: Mapping[str, Any]

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> list[Scored]:
        """Score rows."""
        rows = columns["spam_probability"]
        if self.word == "broken" or (self.word == "picky" and None in rows):
            raise ValueError(f"{self.word} cannot score this")
        return [Scored(self.word, row) for row in rows]


class Words:
    """A model format: a file holds the model's word, and the definitions it was trained with."""

    def load(self, path: Path, sha256: str) -> Model:
        """Return the model."""
        word, _, old = path.read_text().partition(" ")
        return Model(word, {"hash": sha256, "definitions": {"spam_probability": 99} if old else {}})


@dataclass
class Colony:
    """A server with its real ledger, store and log."""

    ledger: SqlLedger
    store: LocalFeatureStore
    log: PredictionLog
    server: PredictionServer
    heard: Heard
    directory: Path

    def register(self, **words: str) -> None:
        """Register versions, each with its word."""
        with self.ledger.begin() as transaction:
            for name, word in words.items():
                file = self.directory / name
                file.write_text(word)
                transaction.models.add(world.version(name, artifact=Artifact(str(file), "x")))

    def deploy(self, version: str, traffic: Traffic | None = None) -> None:
        """Put a version into production, with what else is live."""
        with self.ledger.begin() as transaction:
            before = transaction.models.champion(BEE.bee)
            epoch, previous = (before.epoch, before.version) if before else (0, None)
            transaction.models.deploy(Deployment(BEE.bee, epoch + 1, version, previous, NOW, "", None, traffic))

    def predict(self, entity: str, seconds: int = 0, **given: Any) -> dict[str, Any]:
        """Predict for an entity."""
        return self.server.predict(BEE, NOW + seconds * SECOND, entity_id=entity, **given)

    def logged(self) -> list[LoggedPrediction]:
        """Return what is in the log once all of it is stored."""
        self.log.close(patience_s=60)
        end = NOW + timedelta(hours=1)
        return list(Logged(self.store, BEE).predictions(NOW, end, end))


@pytest.fixture(name="colony")
def _colony(ledger: SqlLedger, tmp_path: Path) -> Iterator[Colony]:
    store = LocalFeatureStore(tmp_path / "features", clock=lambda: NOW + timedelta(hours=1))
    for name, entity, type_ in (
        ("spam_probability", "content", "number"),
        ("user_id", "content", "string"),
        ("user_reputation_score", "user", "number"),
    ):
        store.define(Definition(name, entity, type_))
    at = NOW - timedelta(days=1)
    values = [Write(entity, "spam_probability", number / 100, at, at) for number, entity in enumerate(ENTITIES)]
    values += [Write(entity, "user_id", "u1", at, at) for entity in ENTITIES]
    store.write([*values, Write("u1", "user_reputation_score", 0.2, at, at)])
    heard = Heard()
    log = PredictionLog(store, Rules(every_s=3600), heard)
    server = PredictionServer(
        ledger,
        store,
        Artifacts(tmp_path),
        Words(),  # type: ignore[arg-type]
        skew=Guard.AUTO,
        predictions=log,
    )
    yield Colony(ledger, store, log, server, heard, tmp_path)
    log.close()
    store.close()


def _half(shadow: tuple[str, ...] = ()) -> Traffic:
    return Traffic((("2", 50), ("1", 50)), "a-rollout", shadow)


def test_a_rollout_from_beginning_to_end(colony: Colony) -> None:
    """Each change of the split is served at once, sticky by entity; a roll-back ends it; and everything is logged."""
    colony.register(**{"1": "old", "2": "new"})
    colony.deploy("1")
    assert {colony.predict(one)["version"] for one in ENTITIES} == {"1"}

    colony.deploy("1", _half())
    first = [colony.predict(one, 1) for one in ENTITIES]
    assert [one["version"] for one in first] == [_half().version_for(one) for one in ENTITIES]
    assert {(one["version"], one["prediction"]) for one in first} == {("1", "old"), ("2", "new")}
    assert [colony.predict(one, 2)["version"] for one in ENTITIES] == [one["version"] for one in first]

    colony.deploy("1", Traffic((("2", 100), ("1", 0)), "a-rollout"))
    assert {colony.predict(one, 3)["version"] for one in ENTITIES} == {"2"}
    colony.deploy("1")
    assert {colony.predict(one, 4)["version"] for one in ENTITIES} == {"1"}

    found = colony.logged()
    assert len(found) == 5 * len(ENTITIES) == colony.heard.counts["logged", BEE.bee]
    at_half = {one.entity: one for one in found if one.time == NOW + SECOND}
    assert [at_half[entity].version for entity in ENTITIES] == [one["version"] for one in first]
    assert at_half["c7"].snapshot == {"spam_probability": 0.07, "user_reputation_score": 0.2}
    assert (at_half["c7"].score, at_half["c7"].answered, at_half["c7"].given) == (0.07, True, False)
    assert serving_skew(colony.store, BEE, NOW, NOW + timedelta(hours=1)) == [
        FeatureSkew(BEE.bee, "spam_probability", 200, 0),
        FeatureSkew(BEE.bee, "user_reputation_score", 200, 0),
    ]


def test_a_shadow_is_asked_and_never_answers(colony: Colony) -> None:
    """What a shadow says of the same values is in the log, beside the answer; one that fails changes no answer."""
    colony.register(**{"1": "old", "2": "new", "3": "broken"})
    colony.deploy("1", Traffic((("1", 100),), "a-rollout", ("2", "3")))

    answers = [colony.predict(one) for one in ENTITIES]

    assert {(one["version"], one["prediction"]) for one in answers} == {("1", "old")}
    found = colony.logged()
    assert {(one.version, one.prediction, one.answered) for one in found} == {("1", "old", True), ("2", "new", False)}
    scores = {version: [one.score for one in found if one.version == version] for version in ("1", "2")}
    assert scores["1"] == scores["2"]
    assert len(scores["1"]) == len(ENTITIES)
    assert colony.heard.counts["failed", BEE.bee, "3"] == len(ENTITIES)


@pytest.mark.parametrize(("word", "reason"), [(None, "notLoaded"), ("broken", "failed"), ("picky 1", "failed")])
def test_the_champion_answers_where_a_challenger_cannot(colony: Colony, word: str | None, reason: str) -> None:
    """A challenger whose file is gone, that fails, or that the guard refuses takes no answer away; it is told."""
    colony.register(**{"1": "old", "2": word or "new"})
    if word is None:
        (colony.directory / "2").unlink()
    colony.deploy("1", Traffic((("2", 100), ("1", 0)), "a-rollout"))

    answer = colony.predict("c1")

    assert (answer["version"], answer["prediction"], answer["score"]) == ("1", "old", 0.01)
    assert answer["warnings"] == ["version 2 could not answer; the champion, 1, did"]
    assert colony.heard.counts["stood in", BEE.bee, "2", reason] == 1
    (logged,) = colony.logged()
    assert (logged.version, logged.answered) == ("1", True)


def test_what_the_champion_refuses_is_refused(colony: Colony) -> None:
    """The champion's own guard, and its own failure, are the caller's to hear of."""
    colony.register(**{"1": "old 1", "2": "broken"})
    colony.deploy("1", _half())
    for entity in ENTITIES:
        with pytest.raises(Conflict, match="version 1 of spam-guard was trained with other definitions"):
            colony.predict(entity)
    assert colony.logged() == []


def test_who_names_no_entity_is_answered_by_the_champion(colony: Colony) -> None:
    """Given features alone are the champion's; with an entity they are that entity's share, and logged as given."""
    colony.register(**{"1": "old", "2": "new"})
    colony.deploy("1", _half())
    values = {"spam_probability": 0.5}

    nobody = [colony.server.predict(BEE, NOW, features=values) for _ in range(10)]
    somebody = [colony.predict(one, features=values) for one in ENTITIES]

    assert {one["version"] for one in nobody} == {"1"}
    assert [one["version"] for one in somebody] == [_half().version_for(one) for one in ENTITIES]
    assert somebody[0]["missing"] == ["user_reputation_score"]
    found = colony.logged()
    assert {(one.given, one.score) for one in found} == {(True, 0.5)}
    assert len(found) == len(ENTITIES)
    assert colony.heard.counts["unlogged", BEE.bee, "noEntity"] == 10
    with pytest.raises(Rejected, match="NUL"):
        colony.predict("a\0b", features=values)


def test_a_new_champion_without_its_file(colony: Colony) -> None:
    """What was in production before goes on answering, and each answer says that it should not be."""
    colony.register(**{"1": "old", "2": "new"})
    colony.deploy("1")
    colony.predict("c1")
    (colony.directory / "2").unlink()
    colony.deploy("2")

    answer = colony.predict("c1", 1)

    assert (answer["version"], answer["prediction"]) == ("1", "old")
    assert answer["warnings"] == ["version 2 is in production and could not be loaded; what was before it answers"]


def test_reads_are_counted_as_ever(colony: Colony) -> None:
    """The log adds nothing to what is told of reads: each feature of the bee was read once for each prediction."""
    colony.register(**{"1": "old", "2": "new"})
    colony.deploy("1", _half(("2",)))
    for entity in ENTITIES:
        colony.predict(entity)
    colony.log.close(patience_s=60)

    reads = {one.feature: one.reads for one in colony.store.usage()}

    assert reads == {"spam_probability": 40, "user_id": 40, "user_reputation_score": 40}


def test_many_at_once_while_what_is_live_changes(colony: Colony) -> None:
    """Threads that predict while deployments change get an answer each, by a version that was live; all are logged."""
    colony.register(**{"1": "old", "2": "new"})
    colony.deploy("1")
    start, answers = threading.Barrier(5), []

    def predict(thread: int) -> None:
        start.wait(60)
        answers.extend(colony.predict(ENTITIES[turn], 500 * thread + turn) for turn in range(25))

    threads = [threading.Thread(target=predict, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    start.wait(60)
    for percent in (10, 50, 100):
        colony.deploy("1", Traffic((("2", percent), ("1", 100 - percent)), "a-rollout"))
    colony.deploy("2")
    for thread in threads:
        thread.join(60)

    assert len(answers) == 100
    assert {(one["version"], one["prediction"]) for one in answers} <= {("1", "old"), ("2", "new")}
    assert not any("warnings" in one for one in answers)
    assert {colony.predict(one, 3000)["version"] for one in ENTITIES} == {"2"}
    assert len(colony.logged()) == 140

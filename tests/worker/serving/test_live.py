"""Which versions are loaded in a process, and what becomes of those that cannot be."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from worker.errors import NotFound
from worker.models.port import Artifact, Deployment, ModelVersion, Scored
from worker.models.traffic import Traffic
from worker.serving.live import LiveModels

NOW = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass
class Named:
    """Says its name."""

    name: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    asked: list[Mapping[str, Sequence[Any]]] = field(default_factory=list)

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> list[Scored]:
        """Score rows; no missing value."""
        self.asked.append(columns)
        if [None] in columns.values():
            raise ValueError("cannot score nothing")
        return [Scored(self.name, None) for _ in next(iter(columns.values()))]


@dataclass
class Files:
    """An artifact store and a model format in one; files among `gone` are not there, and loading waits at a gate."""

    gone: set[str] = field(default_factory=set)
    loaded: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Stand open."""
        self.gate.set()

    def fetch(self, artifact: Artifact) -> Path:
        """Return the path."""
        if artifact.uri in self.gone:
            raise NotFound(f"no file {artifact.uri}")
        return Path(artifact.uri)

    def load(self, path: Path, sha256: str) -> Named:
        """Return the model."""
        self.reached.set()
        assert self.gate.wait(60)
        self.loaded.append(path.name)
        return Named(path.name, {"hash": sha256, "features": ["size"]})


@dataclass
class Clock:
    """Seconds that stand still."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return them."""
        return self.now


def _models(files: Files, clock: Callable[[], float] = time.monotonic) -> LiveModels:
    return LiveModels(files, files, lambda _lineage, _metadata: {}, monotonic=clock)  # type: ignore[arg-type]


def _find(names: Sequence[str]) -> dict[str, ModelVersion]:
    return {
        name: ModelVersion("bee", name, "registered", Artifact(name, "x"), None, NOW, gate_passed=True)
        for name in names
        if name != "unregistered"
    }


def _deployed(epoch: int, version: str, *challenger: tuple[str, int], shadow: tuple[str, ...] = ()) -> Deployment:
    rest = 100 - sum(percent for _, percent in challenger)
    divided = Traffic((*challenger, (version, rest)), "salt", shadow) if challenger or shadow else None
    return Deployment("bee", epoch, version, None, NOW, "", None, divided)


def _until(so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


def test_everything_is_loaded_before_the_first_answer() -> None:
    """Champion, challengers and shadows are there at once, and each only once over several deployments."""
    files = Files()
    models = _models(files)
    models.of(_deployed(1, "1"), _find)
    live = models.of(_deployed(2, "1", ("2", 10), shadow=("3",)), _find)

    assert sorted(live.models) == ["1", "2", "3"]
    assert [one.version for one in live.shadows] == ["3"]
    assert sorted(models.of(_deployed(3, "1", ("2", 50)), _find).models) == ["1", "2"]
    assert files.loaded == ["1", "2", "3"]


def test_each_is_asked_once_before_it_answers() -> None:
    """What a model looks up at its first question it has looked up by then; that it cannot answer it is no fault."""
    live = _models(Files()).of(_deployed(1, "1", ("2", 10)), _find)

    for model in live.models.values():
        assert isinstance(model.predictor, Named)
        assert model.predictor.asked == [{"size": [None]}]
    assert live.lacking == {}


def test_the_share_of_an_entity_is_the_traffics_own() -> None:
    """Each entity is answered by the version that the split names for it; nobody in particular by the champion."""
    deployment = _deployed(1, "1", ("2", 30))
    live = _models(Files()).of(deployment, _find)

    entities = [f"e{number}" for number in range(300)]
    assert [live.choose(one)[0].version for one in entities] == [
        deployment.traffic.version_for(one) for one in entities
    ]
    assert {live.choose(one)[0].version for one in entities} == {"1", "2"}
    assert live.choose(None) == (live.champion, None)


@pytest.mark.parametrize("missing", ["2", "unregistered"])
def test_what_cannot_be_loaded_leaves_its_share_to_the_champion(missing: str) -> None:
    """A challenger whose file is gone, or that nobody knows, answers nobody; the champion does, and it is named."""
    live = _models(Files(gone={"2"})).of(_deployed(1, "1", (missing, 100)), _find)

    assert live.choose("anybody") == (live.champion, missing)
    assert list(live.lacking) == [missing]
    assert live.stale is None


def test_what_was_lacking_is_loaded_when_it_is_back() -> None:
    """What failed is tried again after a while, beside the answers; it answers from then on."""
    files, clock = Files(gone={"2"}), Clock()
    models = _models(files, clock)
    deployment = _deployed(1, "1", ("2", 100))
    models.of(deployment, _find)
    files.gone.clear()
    assert models.of(deployment, _find).lacking  # not yet due
    clock.now = 2.0

    _until(lambda: models.of(deployment, _find).choose("anybody")[0].version == "2")
    assert files.loaded == ["1", "2"]


def test_it_is_tried_less_and_less_often() -> None:
    """Each failure doubles the time to the next attempt, up to a minute."""
    clock = Clock()
    models, deployment = _models(Files(gone={"2"}), clock), _deployed(1, "1", ("2", 50))
    waits = []
    live = models.of(deployment, _find)
    for tries in range(1, 9):
        _until(lambda tries=tries: models.of(deployment, _find).tries == tries)
        live = models.of(deployment, _find)
        waits.append(live.again_at - clock.now)
        clock.now = live.again_at

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_champion_that_cannot_be_loaded_does_not_begin() -> None:
    """What was in production before goes on answering, as it was divided; once the file is back the new one does."""
    files, clock = Files(gone={"2"}), Clock()
    models = _models(files, clock)
    models.of(_deployed(1, "1"), _find)
    live = models.of(_deployed(2, "2"), _find)
    assert (live.champion.version, live.stale, live.epoch) == ("1", "2", 2)

    files.gone.clear()
    clock.now = 2.0
    _until(lambda: models.of(_deployed(2, "2"), _find).champion.version == "2")
    assert models.of(_deployed(2, "2"), _find).stale is None


def test_the_first_champion_of_a_process_is_needed() -> None:
    """A process that never had a model says why it has none, each time it is asked."""
    files = Files(gone={"1"})
    models = _models(files)
    for _ in range(2):
        with pytest.raises(NotFound, match="no file 1"):
            models.of(_deployed(1, "1"), _find)
    files.gone.clear()
    assert models.of(_deployed(1, "1"), _find).champion.version == "1"


def test_others_are_answered_while_one_loads() -> None:
    """While a thread loads a new deployment all others go on with what is live, and nobody loads it twice."""
    files = Files()
    models = _models(files)
    models.of(_deployed(1, "1"), _find)
    files.gate.clear()
    files.reached.clear()
    loader = threading.Thread(target=lambda: models.of(_deployed(2, "2"), _find))
    loader.start()
    assert files.reached.wait(60)

    assert models.of(_deployed(2, "2"), _find).champion.version == "1"
    files.gate.set()
    loader.join()
    assert models.of(_deployed(2, "2"), _find).champion.version == "2"
    assert files.loaded == ["1", "2"]

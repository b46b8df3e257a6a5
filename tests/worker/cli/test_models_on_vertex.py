"""`colony models` with its registry and endpoints on the Vertex stand-in, its files on that of Cloud Storage."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from google.cloud.aiplatform_v1 import types
from sklearn.linear_model import LogisticRegression

from config.settings import read_settings
from tests.google_storage import StorageServer, storage_server
from tests.worker import world
from tests.worker.adapters.models.registry_server import RegistryServer
from tests.worker.cli.conftest import Here
from worker.app import App
from worker.clock import wall_clock

FOLDER = "gs://their-bucket/scoring/7"
ADOPT = ("models", "adopt", "--bee", "spam-guard", "--trained-until", "2002-07-31", "--baseline", "f1=0.9")


@pytest.fixture(name="storage", scope="module")
def _storage() -> Iterator[StorageServer]:
    with storage_server("bucket", "their-bucket") as server:
        yield server


@pytest.fixture(name="vertex")
def _vertex() -> Iterator[RegistryServer]:
    server = RegistryServer(stages=0)
    yield server
    server.close()


@pytest.fixture(name="model", scope="module")
def _model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a model that somebody has trained elsewhere: nine columns, no word of ours in it."""
    path = tmp_path_factory.mktemp("theirs") / "model.skops"
    rows = np.random.default_rng(0).normal(size=(60, 9))
    skops.io.dump(LogisticRegression().fit(rows, np.arange(60) % 2), path)
    return path


@pytest.fixture(name="theirs")
def _theirs(vertex: RegistryServer, storage: StorageServer, model: Path) -> types.Model:
    """Register the model as somebody else would have."""
    storage.objects.clear()
    storage.put(f"{FOLDER}/model.skops", model.read_bytes())
    found = types.Model(name="projects/1/locations/europe-west1/models/scoring", version_id="7", artifact_uri=FOLDER)
    found.version_aliases = ["default"]
    vertex.models["scoring"] = [found]
    return found


@pytest.fixture(name="google", autouse=True)
def _google(here: Here, vertex: RegistryServer, storage: StorageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the project, and the stand-ins; everything but the models is local."""
    told = {
        "GOOGLE_CLOUD_PROJECT": "my-project",
        "GOOGLE_CLOUD_REGION": "europe-west1",
        "PIPELINE_BUCKET": "bucket",
        "COLONY_LEDGER": "sqlite",
        "COLONY_VERTEX_ENDPOINT": vertex.address,
        "COLONY_STORAGE_ENDPOINT": storage.url,
        "COLONY_SERVING": "true",
        "COLONY_IMAGE": "europe-docker.pkg.dev/p/colony/worker:1",
        **dict.fromkeys(("COLONY_BUS", "COLONY_ENGINE", "COLONY_FEATURES", "COLONY_METRICS"), "local"),
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", ["scoring", "scoring@7", "projects/my-project/locations/europe-west1/models/scoring"])
def test_adopt_a_model_of_the_registry(here: Here, theirs: types.Model, storage: StorageServer, name: str) -> None:
    """A model that is on Vertex AI already becomes the bee's champion: its file in our form, its origin on record."""
    code, _, told = here(*ADOPT, "--version", "7", "--vertex-model", name)
    version = json.loads(here("models", "--json")[1])

    assert (code, told) == (0, "")
    assert version["champion"] is True
    assert version["metrics"] == {"f1": 0.9}
    assert version["lineage"]["vertexModel"] == "projects/my-project/locations/europe-west1/models/scoring@7"
    assert version["lineage"]["trainedUntil"] == "2002-07-31T00:00:00Z"
    assert version["artifact"]["uri"] in storage.objects
    assert theirs.version_aliases == ["default"]


def test_what_cannot_be_adopted(here: Here, theirs: types.Model, storage: StorageServer) -> None:
    """A model that is not there, one without a file, and one that is a pickle are told apart."""
    missing = here(*ADOPT, "--version", "7", "--vertex-model", "nowhere")
    storage.objects.clear()
    storage.put(f"{FOLDER}/model.joblib", b"cos\nsystem\n")
    pickled = here(*ADOPT, "--version", "7", "--vertex-model", "scoring")
    theirs.artifact_uri = ""
    empty = here(*ADOPT, "--version", "7", "--vertex-model", "scoring")
    neither = here(*ADOPT, "--version", "7")

    assert (missing[0], pickled[0], empty[0], neither[0]) == (4, 2, 2, 2)
    assert "there is no model projects/my-project/locations/europe-west1/models/nowhere" in missing[2]
    assert "model.joblib" in pickled[2]
    assert "--artifact" in empty[2]


def test_what_failed_is_shown(here: Here, vertex: RegistryServer, model: Path) -> None:
    """An upload that failed is listed with its reason and when it is tried again, while there is something to tell."""
    vertex.failing.extend(["", "The image does not exist."])
    before = here("models", "projections")[1]
    assert here(*ADOPT, "--version", "1", "--artifact", str(model))[0] == 0
    app = _app()
    app.projector.turn()
    app.close()
    (failed,) = (json.loads(line) for line in here("models", "projections", "--json")[1].splitlines())

    assert "nothing is under way" in before
    assert (failed["kind"], failed["subject"], failed["faults"], failed["since"]) == ("upload", "1", 1, None)
    assert "The image does not exist." in failed["error"]
    assert failed["againAt"]
    assert "The image does not exist." in here("models", "projections", "--bee", "spam-guard")[1]


def test_the_loop_is_there_with_vertex_alone(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """With models on Vertex AI a loop shows them there, and its faults do not make the worker unready."""
    found = {}
    for backend in ("vertex", "local"):
        monkeypatch.setenv("COLONY_MODELS", backend)
        app = _app()
        found[backend] = {loop.name: loop.vital for loop in app.loops()}
        app.close()

    assert found["vertex"] == {**found["local"], "colony-project": False}


def test_a_rollback_is_seen_at_the_endpoint(here: Here, vertex: RegistryServer, model: Path, tmp_path: Path) -> None:
    """`colony models rollback` moves the endpoint's traffic before it returns."""
    assert here(*ADOPT, "--version", "1", "--artifact", str(model))[0] == 0
    app = _app()
    with app.ledger.begin() as transaction:
        first = transaction.models.get("spam-guard", "1")
        assert first
        transaction.models.add(world.version("2", artifact=first.artifact))
    for _ in range(6):
        app.projector.turn()
    assert here("models", "promote", "--bee", "spam-guard", "--version", "2", "--reason", "a test")[0] == 0
    for _ in range(6):
        app.projector.turn()
    before = _traffic(vertex)
    code, _, told = here("models", "rollback", "--bee", "spam-guard", "--reason", "it is worse")
    app.close()

    assert (code, told) == (0, "")
    assert sorted(before.values()) == [0, 100]
    assert _traffic(vertex) == {name: 100 - percent for name, percent in before.items()}


def _app() -> Any:
    return App(read_settings(), wall_clock)


def _traffic(vertex: RegistryServer) -> dict[str, int]:
    (found,) = vertex.shown()["traffic"].values()
    return dict(found)

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.google_storage import StorageServer, storage_server
from worker.adapters.models.server.loading import load_model
from worker.adapters.models.skops_format import SkopsFormat
from worker.errors import Rejected, TryLater
from worker.models.live import Live, encoded
from worker.models.port import Artifact
from worker.models.traffic import Traffic, all_to

METADATA = {
    "features": ["size", "score"],
    "kinds": {"size": "number", "score": "number"},
    "task": "binary",
    "classes": ["ham", "spam"],
}
ROWS = np.array([[float(number), float(number % 7)] for number in range(40)])
START_S = 60.0


@dataclass
class Running:
    """A model server's process."""

    process: subprocess.Popen[str]
    url: str
    said: list[dict[str, Any]]
    http: httpx.Client

    def predict(self, body: Any) -> httpx.Response:
        """Ask for predictions."""
        content = body if isinstance(body, bytes) else json.dumps(body)
        return self.http.post(f"{self.url}/v1/predict", content=content)

    def health(self) -> int:
        """Return what the health route answers."""
        return self.http.get(f"{self.url}/v1/health").status_code


@pytest.fixture(name="model", scope="module")
def _model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.skops"
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, np.arange(40) % 2)
    SkopsFormat().dump(fitted, METADATA, path)
    return path


@pytest.fixture(name="other", scope="module")
def _other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("other") / "model.skops"
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, (np.arange(40) > 20).astype(int))
    SkopsFormat().dump(fitted, METADATA, path)
    return path


@pytest.fixture(name="storage", scope="module")
def _storage(model: Path) -> Iterator[StorageServer]:
    with storage_server("bucket") as server:
        sha256 = _sha256(model)
        server.put(f"gs://bucket/models/{sha256}/{sha256}.skops", model.read_bytes())
        server.put(f"gs://bucket/models/{sha256}/notes.txt", b"beside it")
        yield server


@pytest.fixture(name="running", scope="module")
def _running(model: Path, storage: StorageServer) -> Iterator[Running]:
    """Give a server that has loaded its model from Cloud Storage, and was not healthy before; it ends when asked to."""
    environment = {
        "AIP_HEALTH_ROUTE": "/v1/health",
        "AIP_PREDICT_ROUTE": "/v1/predict",
        "AIP_STORAGE_URI": f"gs://bucket/models/{_sha256(model)}",
        "COLONY_STORAGE_ENDPOINT": storage.url,
    }
    storage.open.clear()
    with _started(environment) as running:
        loading = (running.health(), running.predict({"instances": []}).status_code)
        storage.open.set()
        _eventually(lambda: running.health() == 200)
        assert loading == (503, 503)
        yield running
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=START_S) == 0


class _started:  # noqa: N801 - used as a function
    """A server's process, from the moment that it listens; ended when the context ends."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIP_", "COLONY_"))}
        told = {"COLONY_HOST": "127.0.0.1", "AIP_HTTP_PORT": "0", **environment}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "worker.model_server"],
            env={**inherited, **told},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._said: list[dict[str, Any]] = []
        self._http = httpx.Client(timeout=30)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Running:
        line = _eventually(lambda: next((one for one in self._said if one.get("message") == "listening"), None))
        return Running(self._process, f"http://127.0.0.1:{line['port']}", self._said, self._http)

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._process.kill()
        self._process.wait(timeout=START_S)
        self._reader.join(timeout=START_S)

    def _read(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            if line.startswith("{"):
                self._said.append(json.loads(line))


def test_predictions_in_order(running: Running, model: Path) -> None:
    """Each instance gets the prediction that the model itself makes, in the order in which they came."""
    instances = [{"size": float(size), "score": score} for size, score in ((39, 1), (0, 6), (20, 3), (7, 0))]
    scored = (
        SkopsFormat()
        .load(model, _sha256(model))
        .predict({name: [one[name] for one in instances] for name in ("size", "score")})
    )

    answer = running.predict({"instances": instances, "parameters": {}})

    assert answer.status_code == 200
    assert answer.json() == {"predictions": [{"prediction": one.prediction, "score": one.score} for one in scored]}
    assert {one["prediction"] for one in answer.json()["predictions"]} <= {"ham", "spam"}


def test_no_instances(running: Running) -> None:
    """Nothing asked, nothing answered."""
    assert running.predict({"instances": []}).json() == {"predictions": []}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"instances": [{"size": 1.0, "score": 1}, {"size": "big", "score": 1}]}, "instances[1].size"),
        ({"instances": [{"size": True}]}, "instances[0].size"),
        ({"instances": [{"size": 10**400}]}, "instances[0].size"),
        ({"instances": [{"weight": 1.0}]}, "instances[0].weight"),
        ({"instances": [{"size": 1.0, "score": 1}, [1.0, 1]]}, "instances[1]"),
        ({"instances": [{"size": None, "score": 1}]}, "features"),
        ({"instances": {"size": 1.0}}, "instances"),
        ({"instance": []}, "body"),
        ({"instances": [], "parameters": {"confidence": 0.5}}, "parameters"),
        ([], "body"),
        (b"{not json", "body"),
        (b'{"instances": [{"size": NaN}]}', "body"),
        (b'{"instances": [{"size": 1e999}]}', "body"),
        (b'{"instances": [{"size": "\xff"}]}', "body"),
        (b"[" * 100_000, "body"),
        (b"", "body"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_named(running: Running, body: Any, field: str) -> None:
    """A request that cannot be answered is told where it is wrong, and what to do; the next one is answered."""
    answer = running.predict(body)

    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field
    assert answer.json()["error"]["mend"]
    assert running.predict({"instances": [{"size": 1.0, "score": 1.0}]}).status_code == 200


def test_limits(running: Running) -> None:
    """Too many instances and too large a body are refused with the limit in words."""
    many = running.predict({"instances": [{}] * 10_001})
    large = running.predict({"instances": [{"size": 1.0}], "padding": "x" * (10 * 1024 * 1024)})

    assert (many.status_code, many.json()["error"]["field"]) == (422, "instances")
    assert "10,000" in many.json()["error"]["mend"]
    assert large.status_code == 413
    assert "10,485,760" in large.json()["error"]["message"]


def test_many_at_once(running: Running) -> None:
    """Requests that come together are answered each with its own."""
    sizes = [float(number) for number in range(32)]

    def asked(size: float) -> Any:
        return running.predict({"instances": [{"size": size, "score": 3}]}).json()["predictions"][0]["score"]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(asked, sizes))

    assert together == [asked(size) for size in sizes]
    assert len(set(together)) == len(sizes)


def test_other_paths_and_methods(running: Running) -> None:
    """Only the two routes that Vertex AI names are there."""
    assert running.http.get(f"{running.url}/docs").status_code == 404
    assert running.http.get(f"{running.url}/v1/predict").status_code == 405


def test_it_serves_what_it_is_told_is_live(model: Path, other: Path, storage: StorageServer) -> None:
    """A server that comes up in a rollout, and is told of its end, gives each entity the version of its place."""
    told = "gs://bucket/serving/bee/live.json"
    traffic = Traffic((("2", 50), ("1", 50)), "salt")
    artifacts = {"1": _stored(storage, model), "2": _stored(storage, other)}
    storage.put(told, encoded(Live(1, "1", traffic, artifacts)))
    environment = {
        "AIP_HEALTH_ROUTE": "/v1/health",
        "AIP_PREDICT_ROUTE": "/v1/predict",
        "AIP_STORAGE_URI": artifacts["1"].uri.rpartition("/")[0],
        "COLONY_STORAGE_ENDPOINT": storage.url,
        "COLONY_MODEL_VERSION": "1",
        "COLONY_LIVE_URI": told,
    }
    entities = [f"entity-{number}" for number in range(20)]
    instances = [{"size": 39.0, "score": 1, "entityId": entity} for entity in entities]

    def served() -> list[str]:
        return [one["version"] for one in running.predict({"instances": instances}).json()["predictions"]]

    with _started(environment) as running:
        _eventually(lambda: running.health() == 200)
        assert served() == [traffic.version_for(entity) for entity in entities]
        answers = running.predict({"instances": instances}).json()["predictions"]
        assert len({one["score"] for one in answers}) == 2

        storage.put(told, encoded(Live(2, "1", all_to("1"), artifacts)))
        _eventually(lambda: set(served()) == {"1"})


def _stored(storage: StorageServer, path: Path) -> Artifact:
    sha256 = _sha256(path)
    artifact = Artifact(f"gs://bucket/models/{sha256}/{sha256}.skops", sha256)
    storage.put(artifact.uri, path.read_bytes())
    return artifact


def test_a_model_that_is_refused_ends_the_process(model: Path, tmp_path: Path) -> None:
    """A file that is not what its hash says is never healthy: the process ends with 2 and the reason."""
    (tmp_path / "model.skops").write_bytes(model.read_bytes() + b" ")
    environment = {"AIP_STORAGE_URI": str(tmp_path), "COLONY_MODEL_SHA256": _sha256(model)}
    with _started(environment) as running:
        assert running.process.wait(timeout=START_S) == 2
        told = _eventually(lambda: next((one for one in running.said if "not served" in one["message"]), None))

    assert "hash" in told["reason"]


@pytest.mark.parametrize("form", ["{folder}", "{folder}/", "file://{folder}", "{folder}/{sha256}.skops"])
def test_a_folder_or_a_file_on_this_machine(model: Path, tmp_path: Path, form: str) -> None:
    """A mounted bucket's folder, or the file itself, is loaded; its name is the hash that it must have."""
    sha256 = _sha256(model)
    (tmp_path / f"{sha256}.skops").write_bytes(model.read_bytes())

    found = load_model({"AIP_STORAGE_URI": form.format(folder=tmp_path, sha256=sha256)}, SkopsFormat())

    assert found.metadata["features"] == ["size", "score"]


def test_what_is_not_loaded(model: Path, tmp_path: Path, storage: StorageServer) -> None:
    """No address, no hash, no model, two models, a pickle: each is refused with its reason."""
    loads: Callable[[dict[str, str]], Any] = lambda environment: load_model(environment, SkopsFormat())  # noqa: E731
    with pytest.raises(Rejected, match="AIP_STORAGE_URI: is not set"):
        loads({})
    with pytest.raises(Rejected, match="COLONY_MODEL_SHA256"):
        loads({"AIP_STORAGE_URI": str(model)})
    with pytest.raises(TryLater, match="is not there"):
        loads({"AIP_STORAGE_URI": str(tmp_path / "nowhere")})
    (tmp_path / "model.pkl").write_bytes(b"cos\nsystem\n")
    with pytest.raises(Rejected, match=r"there is model\.pkl.*executes code"):
        loads({"AIP_STORAGE_URI": str(tmp_path)})
    for name in ("a.skops", "b.skops"):
        (tmp_path / name).write_bytes(model.read_bytes())
    with pytest.raises(Rejected, match="holds 2 models"):
        loads({"AIP_STORAGE_URI": str(tmp_path)})
    with pytest.raises(Rejected, match="there is nothing"):
        loads({"AIP_STORAGE_URI": "gs://bucket/elsewhere", "COLONY_STORAGE_ENDPOINT": storage.url})


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _eventually(found: Callable[[], Any]) -> Any:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")

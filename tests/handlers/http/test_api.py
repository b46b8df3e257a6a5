import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from handlers.commands.predict import PredictionServer
from handlers.http import build
from handlers.http.limits import MAX_BODY
from handlers.http.server import Server
from handlers.http.services import Services
from tests.handlers.commands.models import Artifacts, Format
from tests.worker import world
from tests.worker.world import BEES, NOW, data, message
from worker.adapters.features.local import LocalFeatureStore
from worker.adapters.ledger.sql import SqlLedger
from worker.adapters.metrics.local import LocalMetrics
from worker.errors import Rejected, TryLater
from worker.features.port import Definition
from worker.instruments import Instruments
from worker.intake.receive import receive
from worker.loops import Loop
from worker.models.port import Artifact, Deployment


@dataclass
class Colony:
    """A served API, and the parts behind it."""

    ledger: SqlLedger
    client: httpx.Client
    loops: list[Loop] = field(default_factory=list)


def _services(ledger: SqlLedger, predictions: Any, loops: Sequence[Loop] = (), features: Any = None) -> Services:
    return Services(
        ledger=ledger,
        features=features,
        bees=lambda: BEES,
        predictions=predictions,
        clock=lambda: NOW,
        instruments=Instruments(LocalMetrics()),
        loops=loops,
    )


@pytest.fixture(name="colony", scope="module")
def _colony(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Colony]:
    """Serve the API on a free port of this machine, with a model that answers 1."""
    tmp_path = tmp_path_factory.mktemp("colony")
    ledger = world.new_ledger(tmp_path)
    store = LocalFeatureStore(tmp_path / "features", clock=lambda: NOW)
    store.define(Definition("spam_probability", "content", "number"))
    file = tmp_path / "model"
    file.write_text("1")
    with ledger.begin() as transaction:
        transaction.models.add(world.version(artifact=Artifact(str(file), "x"), state="deployed"))
        transaction.models.deploy(Deployment("spam-guard", 1, "1", None, NOW, "", None))
    loops: list[Loop] = []
    predictions = PredictionServer(ledger, store, Artifacts(tmp_path), Format())
    server = Server(build(_services(ledger, predictions, loops, store)), "127.0.0.1", 0)
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
        yield Colony(ledger, client, loops)
    server.stop()
    store.close()
    ledger.close()


def _problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return dict(body)


def test_health(colony: Colony) -> None:
    """A process that answers is alive; with its ledger and loops well it is ready."""
    assert colony.client.get("/healthz").json() == {"status": "ok"}
    assert colony.client.get("/readyz").json() == {"status": "ok", "faults": {}, "paused": []}


def test_a_loop_that_fails_is_not_ready(colony: Colony) -> None:
    """A loop with a fault, and one that has stopped, are named; the process is alive all the same."""
    failed = threading.Event()
    turns = iter(range(1_000_000))

    def fail() -> int:
        # In the second turn the first one's fault is known.
        if next(turns):
            failed.set()
        raise TryLater("the bus is away")

    failing, stopped = Loop("intake", fail, idle_s=0.01), Loop("outbox", lambda: 0, idle_s=0.01)
    failing.start()
    assert failed.wait(60)
    colony.loops += [failing, stopped]

    answer = colony.client.get("/readyz")
    failing.stop()
    colony.loops.clear()

    assert answer.status_code == 503
    assert answer.json()["faults"] == {"colony-intake": "the bus is away", "colony-outbox": "has stopped"}
    assert colony.client.get("/healthz").status_code == 200


def test_models(colony: Colony) -> None:
    """A bee's resource says what is in production, the split, and every version."""
    found = colony.client.get("/api/mlops/models/spam-guard").json()

    assert (found["version"], found["epoch"], found["trafficSplit"]) == ("1", 1, {"1": 100})
    assert [one["version"] for one in found["versions"]] == ["1"]
    assert colony.client.get("/api/mlops/models").json()["models"] == found["versions"]


def test_a_bee_without_a_model(colony: Colony) -> None:
    """A bee that has no model yet says so."""
    found = colony.client.get("/api/mlops/models/other-bee").json()

    assert (found["version"], found["epoch"], found["trafficSplit"], found["versions"]) == (None, 0, {}, [])


def test_predict(colony: Colony) -> None:
    """A prediction names its version and what was missing, for given features, of nobody or of an entity."""
    for body in ({"features": {"spam_probability": 0.5}}, {"features": {}}, {"entityId": "c1", "features": {}}):
        found = colony.client.post("/api/mlops/models/spam-guard/predict", json=body).json()

        assert (found["prediction"], found["version"]) == (1.0, "1")
        assert "user_reputation_score" in found["missing"]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b'{"features": {"spam": 1}}', "features"),
        (b'{"features": {"spam_probability": "high"}}', "features.spam_probability"),
        (b'{"features": {"spam_probability": NaN}}', "features.spam_probability"),
        (b'{"features": {"spam_probability": 1e999}}', "features.spam_probability"),
        (b'{"features": {"spam_probability": [1]}}', "features.spam_probability"),
        (b'{"features": 7}', "features"),
        (b'{"entityId": ""}', "entityId"),
        (b'{"entityId": 7}', "entityId"),
        (b'{"entityID": "c1"}', "entityID"),
        (b"{}", "entityId"),
        (b'{"entityId": "", "features": {}}', "entityId"),
        (b"{", "body"),
        (b"", "body"),
        (b"[]", "body"),
        (b"null", "body"),
    ],
)
def test_wrong_predictions_name_the_field(colony: Colony, content: bytes, field: str) -> None:
    """A request that cannot be answered is a problem that names the field and the mend."""
    answer = colony.client.post(
        "/api/mlops/models/spam-guard/predict", content=content, headers={"content-type": "application/json"}
    )

    problem = _problem(answer, 422)
    assert problem["field"].startswith(field)
    assert problem["mend"]


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"features": {"a": "\xff"}}'])
def test_bodies_that_cannot_be_read(colony: Colony, content: bytes) -> None:
    """A body that no parser reads is the sender's problem, and the server goes on."""
    answer = colony.client.post(
        "/api/mlops/models/spam-guard/predict", content=content, headers={"content-type": "application/json"}
    )

    assert _problem(answer, answer.status_code)["status"] in {400, 422}
    assert colony.client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/mlops/models/nobody", 404),
        ("POST", "/api/mlops/models/nobody/predict", 404),
        ("GET", "/api/mlops/models/No%20Bee", 422),
        ("POST", "/api/mlops/models/other-bee/predict", 404),
        ("GET", "/api/mlops/nothing", 404),
        ("DELETE", "/api/mlops/models", 405),
        ("GET", "/api/mlops/decisions?limit=0", 422),
        ("GET", "/api/mlops/decisions?limit=many", 422),
        ("GET", "/api/mlops/decisions?beeId=%00", 422),
    ],
)
def test_problems(colony: Colony, method: str, path: str, status: int) -> None:
    """Every error is a problem, whoever raised it."""
    body = {"json": {"features": {}}} if method == "POST" else {}

    _problem(colony.client.request(method, path, **body), status)  # type: ignore[arg-type]


def test_decisions(colony: Colony) -> None:
    """The journal in the published form: the newest so many, in the order they were made, of one bee."""
    sent = [message(f"e{number}", data(evaluatedAt=f"2002-10-01T00:0{number}:00Z")) for number in range(3)]
    receive(sent, colony.ledger, world.handlers(colony.ledger), world.now_for)

    found = colony.client.get("/api/mlops/decisions", params={"beeId": "spam-guard", "limit": 2}).json()["decisions"]

    assert [(one["eventId"], one["action"]) for one in found] == [("e1", "attached"), ("e2", "attached")]
    assert colony.client.get("/api/mlops/decisions", params={"beeId": "other-bee"}).json()["decisions"] == []


def test_too_large_with_content_length(colony: Colony) -> None:
    """A body above 1 MiB is refused."""
    answer = colony.client.post("/api/mlops/models/spam-guard/predict", content=b" " * (MAX_BODY + 1))

    assert _problem(answer, 413)["detail"] == "a body has at most 1,048,576 bytes"


def test_too_large_without_content_length(colony: Colony) -> None:
    """A body that grows above 1 MiB without having said so is refused as well."""
    chunks = (b" " * 65_536 for _ in range(17))

    answer = colony.client.post("/api/mlops/models/spam-guard/predict", content=chunks)

    _problem(answer, 413)


def test_just_large_enough(colony: Colony) -> None:
    """A body of exactly 1 MiB is read."""
    body = json.dumps({"features": {}}).encode()

    answer = colony.client.post(
        "/api/mlops/models/spam-guard/predict",
        content=body + b" " * (MAX_BODY - len(body)),
        headers={"content-type": "application/json"},
    )

    assert answer.status_code == 200


def test_openapi(colony: Colony) -> None:
    """The description of the API parses and names every resource and its errors."""
    found = colony.client.get("/api/mlops/openapi.json").json()

    assert found["openapi"].startswith("3.")
    assert {
        "/healthz",
        "/readyz",
        "/api/mlops/models",
        "/api/mlops/models/{beeId}",
        "/api/mlops/models/{beeId}/predict",
        "/api/mlops/decisions",
    } <= set(found["paths"])
    responses = found["paths"]["/api/mlops/models/{beeId}/predict"]["post"]["responses"]
    assert {"200", "404", "413", "422", "503"} <= set(responses)


def test_something_unforeseen_tells_a_stranger_nothing(ledger: SqlLedger) -> None:
    """A fault inside is a problem without its inside, and the process goes on."""

    class Broken:
        """Predicts nothing."""

        def predict(self, *_: Any, **__: Any) -> Any:
            raise ZeroDivisionError("secret")

    services = _services(ledger, Broken())
    server = Server(build(services), "127.0.0.1", 0)
    server.start()
    url = f"http://127.0.0.1:{server.port}"
    answer = httpx.post(f"{url}/api/mlops/models/spam-guard/predict", json={"features": {}})

    assert "secret" not in answer.text
    _problem(answer, 500)
    assert httpx.get(f"{url}/healthz").status_code == 200
    server.stop()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", "", "10.0.0.1"])  # noqa: S104
def test_never_beyond_loopback(ledger: SqlLedger, host: str) -> None:
    """Without authentication the server refuses every address that others can reach, and says what to do."""
    services = _services(ledger, None)

    with pytest.raises(Rejected, match=r"COLONY_HOST.*127\.0\.0\.1"):
        Server(build(services), host, 0)


def test_a_port_that_is_taken(ledger: SqlLedger) -> None:
    """A port that another process has is said so."""
    services = _services(ledger, None)
    first = Server(build(services), "127.0.0.1", 0)
    first.start()

    with pytest.raises(TryLater, match="Address already in use"):
        Server(build(services), "127.0.0.1", first.port).start()

    first.stop()

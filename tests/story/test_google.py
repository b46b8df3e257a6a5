"""With a Google project set, the same worker takes its events from Pub/Sub and submits its runs to Vertex AI."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.google_storage import StorageServer, storage_server
from tests.story.conftest import Colony, evaluation
from tests.worker.adapters.engine.vertex_server import VertexServer

PROJECT = "colony-on-google"


@pytest.fixture(name="vertex")
def _vertex() -> Iterator[VertexServer]:
    """Give a local server of Vertex AI's message types, on which jobs run until they are cancelled."""
    server = VertexServer(advance_on_get=True)
    yield server
    server.close()


@pytest.fixture(name="storage")
def _storage() -> Iterator[StorageServer]:
    """Give a local stand-in for Cloud Storage with the pipeline's bucket."""
    with storage_server("colony-bucket") as server:
        yield server


@pytest.fixture(name="on_google")
def _on_google(
    colony: Colony, pubsub_emulator: str, vertex: VertexServer, storage: StorageServer, postgres_url: str
) -> Colony:
    """Return the bootstrapped colony with a Google project, the emulator, and the Vertex stand-in."""
    environment = {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "GOOGLE_CLOUD_REGION": "europe-west1",
        "PIPELINE_BUCKET": "colony-bucket",
        "PUBSUB_EMULATOR_HOST": pubsub_emulator,
        "COLONY_VERTEX_ENDPOINT": vertex.address,
        # Within a test nothing but a log entry makes the worker look at a job again.
        "COLONY_RECONCILE_SECONDS": "3600",
        "COLONY_STORAGE_ENDPOINT": storage.url,
        "COLONY_LEDGER": postgres_url,
        # The whole of Google's services is in test_google_demo.py; here it is the bus and the engine.
        "COLONY_FEATURES": "local",
        "COLONY_MODELS": "local",
        "COLONY_IMAGE": "europe-docker.pkg.dev/colony-on-google/colony/worker:1",
    }
    google = replace(colony, environment=environment)
    google.run("pubsub", "init")
    _adopt(colony, google)
    return google


def _adopt(local: Colony, google: Colony) -> None:
    """Bring the model that the local colony trained into the ledger on PostgreSQL, as a colony with models would."""
    model = local.rows("models")[0]
    file = model["artifact"]["uri"].removeprefix("file://")
    baseline = [word for name in ("f1", "accuracy") for word in ("--baseline", f"{name}={model['metrics'][name]}")]
    words = ("--bee", "spam-guard", "--version", "1", "--artifact", file, "--trained-until", "2002-07-31")
    google.run("models", "adopt", *words, *baseline)


def test_an_event_from_pubsub_becomes_one_pipeline_job(on_google: Colony, vertex: VertexServer) -> None:
    """A drifted evaluation, published three times, is one PipelineJob on our image; its log tells when it begins."""
    vertex.full = True
    publisher = _Published(on_google.environment["PUBSUB_EMULATOR_HOST"])
    event = evaluation("drift", "2002-10-01T00:00:00Z", 0.45)
    for _ in range(3):
        publisher.send(event)

    worker = on_google.start("run")
    try:
        run_id = _eventually(lambda: next((name.rsplit("/", 1)[1] for name in vertex.jobs), None))
        vertex.waiting.add(str(run_id))
        _eventually(lambda: _deliveries(on_google) == 3 or None)
        _eventually(lambda: vertex.asked("GetPipelineJob"))
        assert "pipeline.run.started" not in publisher.types()
        vertex.begin(str(run_id))
        publisher.send_bytes(json.dumps(log_entry(str(run_id), "PIPELINE_STATE_RUNNING")).encode())
        seen = _eventually(lambda: publisher.types() if "pipeline.run.started" in publisher.types() else None)
        worker.send_signal(signal.SIGTERM)
        stopped = worker.wait(timeout=60)
    finally:
        worker.kill()
        told = worker.communicate()[1]

    assert stopped == 0, told
    assert len(vertex.jobs) == 1
    job = vertex.job(str(run_id))
    assert job.runtime_config.gcs_output_directory.startswith(f"gs://colony-bucket/runs/{run_id}")
    assert dict(job.labels)["bee"] == "spam-guard"
    spec = json.loads(type(job).to_json(job))["pipelineSpec"]
    images = {each["container"]["image"] for each in spec["deploymentSpec"]["executors"].values()}
    assert images == {on_google.environment["COLONY_IMAGE"]}
    assert seen == ["incident.opened", "pipeline.run.requested", "pipeline.run.started"]
    assert [row["action"] for row in on_google.rows("decisions")] == ["trigger"]


def test_a_bad_message_goes_to_the_dead_letter_topic(on_google: Colony) -> None:
    """A message that is not an event ends on the dead letter topic with its reason, and `drain` exits with 0."""
    publisher = _Published(on_google.environment["PUBSUB_EMULATOR_HOST"])
    publisher.send_bytes(b'{"type": "model.evaluated", ')

    on_google.run("drain", "--idle-seconds", "3")

    message = publisher.pull("colony-dead-letters-review")[0]
    assert message.data == b'{"type": "model.evaluated", '
    assert "not JSON" in message.attributes["colony-dead-letter-reason"]
    assert "not JSON" in on_google.rows("dead-letters")[0]["reason"]


def log_entry(run_id: str, state: str) -> dict[str, Any]:
    """Return what a sink of the pipelines' log sends."""
    return {
        "insertId": state,
        "jsonPayload": {"state": state},
        "logName": f"projects/{PROJECT}/logs/aiplatform.googleapis.com%2Fpipeline_job_events",
        "resource": {"type": "aiplatform.googleapis.com/PipelineJob", "labels": {"pipeline_job_id": run_id}},
        "timestamp": "2002-10-01T01:00:00Z",
    }


def _deliveries(colony: Colony) -> int:
    return sum(int(row["deliveries"]) for row in colony.rows("decisions"))


def _eventually(found: Callable[[], Any], timeout_s: float = 120) -> Any:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.2)
    pytest.fail("it did not happen in time")


class _Published:
    """The colony's side of Pub/Sub: sends evaluations, and listens to what the worker publishes."""

    def __init__(self, host: str, project: str = PROJECT) -> None:
        from google.api_core.exceptions import AlreadyExists
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import pubsub_v1

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PUBSUB_EMULATOR_HOST", host)
            self._publisher = pubsub_v1.PublisherClient(credentials=AnonymousCredentials())
            self._subscriber = pubsub_v1.SubscriberClient(credentials=AnonymousCredentials())
        self._project = project
        self._listen = self._subscriber.subscription_path(project, "colony-listens")
        request = {
            "name": self._listen,
            "topic": self._publisher.topic_path(project, "colony-events"),
            "enable_message_ordering": True,
        }
        try:
            self._subscriber.create_subscription(request=request)
        except AlreadyExists:
            self._subscriber.delete_subscription(request={"subscription": self._listen})
            self._subscriber.create_subscription(request=request)
        self._types: list[str] = []

    def send(self, event: dict[str, Any]) -> None:
        self.send_bytes(json.dumps(event).encode(), **{"content-type": "application/cloudevents+json"})

    def send_bytes(self, data: bytes, **attributes: str) -> None:
        topic = self._publisher.topic_path(self._project, "colony-model-evaluated")
        self._publisher.publish(topic, data, **attributes).result(timeout=60)

    def types(self) -> list[str]:
        for message in self.pull("colony-listens"):
            if message.ordering_key.startswith("features/"):
                continue  # what is told of features is no part of this story
            assert message.ordering_key == "spam-guard"
            if message.attributes["ce-type"] not in self._types:
                self._types.append(message.attributes["ce-type"])
        return self._types

    def pull(self, subscription: str) -> list[Any]:
        from google.api_core.exceptions import DeadlineExceeded

        path = self._subscriber.subscription_path(self._project, subscription)
        try:
            answer = self._subscriber.pull(request={"subscription": path, "max_messages": 100}, timeout=3)
        except DeadlineExceeded:
            return []
        ids = [received.ack_id for received in answer.received_messages]
        if ids:
            self._subscriber.acknowledge(request={"subscription": path, "ack_ids": ids})
        return [received.message for received in answer.received_messages]

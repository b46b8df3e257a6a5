"""The demo's whole story with every Google adapter on, beside the embedded one: what is concluded is the same."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.google_storage import StorageServer
from tests.story.conftest import DATA, IMPORTS, evaluation
from tests.story.executing_vertex import ExecutingVertex
from tests.story.one_process import OneProcess
from tests.story.test_google import PROJECT, _Published

BUCKET = "colony-bucket"
ENDED = {"succeeded", "failed", "cancelled"}
#: A quiet week, an undefined one, one delivered again, the drift three times, and one that is late.
EVENTS = [
    evaluation("week-1", "2002-08-08T00:00:00Z", 0.93),
    evaluation("week-2", "2002-08-22T00:00:00Z", None),
    evaluation("week-1", "2002-08-08T00:00:00Z", 0.93),
    evaluation("drift", "2002-10-01T00:00:00Z", 0.45),
    evaluation("drift", "2002-10-01T00:00:00Z", 0.45),
    evaluation("late", "2002-09-01T00:00:00Z", 0.1),
]
BAD = '{"type": "model.evaluated", "eventId": "broken", "beeId": "spam-guard", "metrics": {"f1": NaN}}'


@dataclass(frozen=True)
class Told:
    """What is to be the same in both worlds."""

    decisions: list[tuple[str, ...]]
    gates: list[dict[str, Any]]
    versions: list[tuple[Any, ...]]
    events: list[tuple[str, int]]
    dead_letters: list[str]


def told(colony: Any) -> Told:
    """Read it."""
    runs = sorted(colony.rows("runs"), key=lambda run: run["asOf"])
    shown = [run["outcome"] for run in runs]
    return Told(
        decisions=[(row["eventId"], row["action"], row["reason"]) for row in colony.rows("decisions")],
        gates=[{"verdict": outcome["verdict"], "gate": outcome["gate"]} for outcome in shown],
        versions=[(row["version"], row["state"], row["champion"], row["metrics"]) for row in colony.rows("models")],
        events=[(row["type"], row["sequence"]) for row in colony.rows("events") if row["subject"] == "spam-guard"],
        dead_letters=[row["reason"] for row in colony.rows("dead-letters")],
    )


def _story(colony: Any) -> None:
    """Everything up to the events: features, the first version, and a retrain that comes too early."""
    colony.run("features", "define")
    for name, (entity, entity_id, known_at, columns) in IMPORTS.items():
        where = ("--entity", entity, "--entity-id", entity_id, "--event-time", "event_timestamp")
        only = ("--columns", columns) if columns else ()
        colony.run("features", "import", str(DATA / f"{name}.csv.gz"), *where, "--known-at", known_at, *only)
    for key, as_of in (("first", "2002-08-01"), ("early", "2002-09-26")):
        colony.run("trigger", "auto-retrain", "--bee", "spam-guard", "--as-of", as_of, "--wait", "--key", key)


@pytest.fixture(name="embedded", scope="module")
def _embedded(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Return what the embedded system tells of the story."""
    root = tmp_path_factory.mktemp("embedded")
    with OneProcess(_environment(COLONY_HOME=str(root / "home")), root / "log.txt") as colony:
        _story(colony)
        for number, line in enumerate([*map(json.dumps, EVENTS), BAD]):
            path = root / f"{number}.jsonl"
            path.write_text(f"{line}\n")
            colony.run("drain", "--from", str(path))
        return told(colony)


def _environment(**more: str) -> dict[str, str]:
    """Return the environment of commands: nothing of the caller's own settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("COLONY_", "GOOGLE_", "PIPELINE_", "PUBSUB_"))}
    return {**kept, **more}


@dataclass(frozen=True)
class Google:
    """The stand-ins, the environment that leads to them, and the commands."""

    colony: OneProcess
    vertex: ExecutingVertex
    storage: StorageServer
    published: _Published


@pytest.fixture(name="google")
def _google(pubsub_emulator: str, postgres_url: str, tmp_path: Path) -> Iterator[Google]:
    with ExitStack() as stack:
        storage = StorageServer(BUCKET)
        stack.callback(storage.close)
        vertex = ExecutingVertex(storage, BUCKET, tmp_path / "mount", {"COLONY_HOME": str(tmp_path / "home")})
        stack.callback(vertex.close)
        environment = {
            "COLONY_HOME": str(tmp_path / "home"),
            "COLONY_FEATURES": "local",
            "COLONY_IMAGE": "europe-docker.pkg.dev/colony-test/colony/worker:1",
            "COLONY_LEDGER": postgres_url,
            "COLONY_METRICS": "local",
            "COLONY_RECONCILE_SECONDS": "1",
            "COLONY_STORAGE_ENDPOINT": storage.url,
            "COLONY_VERTEX_ENDPOINT": vertex.address,
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "GOOGLE_CLOUD_REGION": "europe-west1",
            "PIPELINE_BUCKET": BUCKET,
            "PUBSUB_EMULATOR_HOST": pubsub_emulator,
        }
        colony = stack.enter_context(OneProcess(_environment(**environment), tmp_path / "log.txt"))
        colony.run("pubsub", "init")
        yield Google(colony, vertex, storage, _Published(pubsub_emulator))


def test_the_same_story_on_google(embedded: Told, google: Google) -> None:
    """Events by Pub/Sub, runs by Vertex AI, models in the bucket, a ledger on PostgreSQL: the same is concluded."""
    _story(google.colony)
    for event in EVENTS:
        google.published.send(event)
        _drain(google.colony)
    google.published.send_bytes(BAD.encode())
    _drain(google.colony)

    found = told(google.colony)
    assert found.decisions == embedded.decisions
    assert found.gates == embedded.gates
    assert found.versions == embedded.versions
    assert found.events == embedded.events
    assert found.dead_letters == embedded.dead_letters
    assert len(google.vertex.jobs) == 3


def _drain(colony: OneProcess) -> None:
    """Run the job again and again, as its schedule does, until every run has been seen to its end."""
    colony.run("drain", "--idle-seconds", "1")
    until = time.monotonic() + 120
    while any(run["status"] not in ENDED for run in colony.rows("runs")):
        assert time.monotonic() < until, colony.said()
        colony.run("drain", "--idle-seconds", "0")

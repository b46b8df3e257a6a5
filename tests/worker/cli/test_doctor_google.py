"""`colony doctor` with a Google project: what is missing on the emulator and the stand-ins is told with its command."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.google_storage import StorageServer, storage_server
from tests.worker.adapters.engine.vertex_server import VertexServer
from tests.worker.cli.conftest import Here

PROJECT = "colony-doctor"


@pytest.fixture(name="vertex")
def _vertex() -> Iterator[VertexServer]:
    server = VertexServer()
    yield server
    server.close()


@pytest.fixture(name="storage")
def _storage() -> Iterator[StorageServer]:
    with storage_server("colony-doctor-colony") as server:
        yield server


@pytest.fixture(name="google")
def _google(
    pubsub_emulator: str, vertex: VertexServer, storage: StorageServer, monkeypatch: pytest.MonkeyPatch, here: Here
) -> Here:
    """Return the command line of a colony whose Google is on this machine; features stay where they are."""
    variables = {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "PIPELINE_BUCKET": "colony-doctor-colony",
        "PUBSUB_EMULATOR_HOST": pubsub_emulator,
        "COLONY_VERTEX_ENDPOINT": vertex.address,
        "COLONY_STORAGE_ENDPOINT": storage.url,
        "COLONY_LEDGER": "sqlite",
        "COLONY_FEATURES": "local",
        "COLONY_METRICS": "local",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return here


def found(output: str) -> dict[str, dict[str, Any]]:
    """Return the findings by part."""
    return {row["part"]: row for row in map(json.loads, output.splitlines())}


def test_what_is_missing_is_made_by_the_command_that_is_told(google: Here) -> None:
    """Before `colony pubsub init` three parts are wrong and name it; after it they work, and --live writes."""
    code, output, _ = google("doctor", "--json")
    before = found(output)

    assert code == 2
    for part in ("events in", "events out", "deliveries"):
        assert before[part]["severity"] == "wrong"
        assert "colony pubsub init" in before[part]["mend"]
    assert before["engine"]["ok"]
    assert not any(part.startswith("live") for part in before)

    assert google("pubsub", "init")[0] == 0
    code, output, _ = google("doctor", "--live", "--json")
    after = found(output)
    for part in (
        "events in",
        "events out",
        "deliveries",
        "bucket",
        "dead letter rights",
        "live: object",
        "live: pipeline jobs",
    ):
        assert after[part]["severity"] == "ok", after[part]
    # The probe's own topic is Terraform's; its absence is told with the commands.
    assert "gcloud pubsub topics create" in after["live: message"]["mend"]
    assert "not asked: a stand-in knows no rights" in after["project rights"]["detail"]


def test_people_read_the_mend_below_its_part(google: Here) -> None:
    """The text has a sign, the part and what is the matter on one line, and what to do on the next."""
    code, output, _ = google("doctor")

    assert code == 2
    lines = output.splitlines()
    row = next(number for number, line in enumerate(lines) if line.startswith("✗ bee spam-guard"))
    assert lines[row + 1].lstrip().startswith("→ ")

"""deploy/smoke.sh from its first to its last line, on the emulator and stand-ins for Vertex AI and Cloud Storage."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists

from tests.google_storage import storage_server
from tests.story.one_process import OneProcess
from tests.story.program import program
from tests.worker import world
from tests.worker.adapters.engine.vertex_server import VertexServer
from tests.worker.adapters.google_checks.test_bus import names
from worker.adapters.bus.pubsub_clients import publisher, subscriber
from worker.adapters.bus.pubsub_setup import init

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "smoke.sh"
PROJECT = "colony-smoke"


@pytest.fixture(name="colony")
def _colony(tmp_path: Path, pubsub_emulator: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Give the environment of a colony with a model in production, whose Google is on this machine."""
    home = tmp_path / "home"
    home.mkdir()
    ledger = world.new_ledger(home)
    world.put_into_production(ledger)
    ledger.close()
    vertex = VertexServer()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("COLONY_", "GOOGLE_"))}
    with (
        storage_server("colony-smoke-colony") as storage,
        OneProcess(clean, tmp_path / "log.txt") as one,
        program(one) as colony,
    ):
        yield {
            **clean,
            "PYTHONPATH": str(ROOT),
            "PYTHON": sys.executable,
            "COLONY": str(colony),
            "BEE": "spam-guard",
            "PATIENCE": "60",
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "PIPELINE_BUCKET": "colony-smoke-colony",
            "PUBSUB_EMULATOR_HOST": pubsub_emulator,
            "COLONY_VERTEX_ENDPOINT": vertex.address,
            "COLONY_STORAGE_ENDPOINT": storage.url,
            "COLONY_HOME": str(home),
            "COLONY_LEDGER": "sqlite",
            "COLONY_FEATURES": "local",
            "COLONY_METRICS": "local",
        }
    vertex.close()


def smoke(colony: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    return subprocess.run(
        [SCRIPT, *words],
        env=colony,
        cwd=colony["COLONY_HOME"],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def colony_says(colony: dict[str, str], *words: str) -> list[dict[str, Any]]:
    """Run a command with --json and return its objects."""
    done = subprocess.run([colony["COLONY"], *words, "--json"], env=colony, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_event_becomes_a_run_and_is_taken_back(
    colony: dict[str, str], pubsub_emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Doctor finds all well, even what it writes; the event is decided, its job is asked for and taken back."""
    subprocess.run([colony["COLONY"], "features", "define"], env=colony, capture_output=True, check=True)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_emulator)
    init(PROJECT, names())
    probe = f"projects/{PROJECT}/topics/colony-events-probe"
    with publisher() as client, subscriber() as pulling, contextlib.suppress(AlreadyExists):
        client.create_topic(name=probe)
        pulling.create_subscription(name=probe.replace("topics", "subscriptions"), topic=probe)

    done = smoke(colony, "--drain")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "ALL DONE" in done.stdout
    (run,) = colony_says(colony, "runs")
    assert f"action: trigger; run: {run['runId']}" in done.stdout
    assert f"gs://colony-smoke-colony/runs/{run['runId']}" in done.stdout


def test_an_option_that_is_not_there_is_refused(colony: dict[str, str]) -> None:
    """A word that it does not know stops it before anything is asked."""
    done = smoke(colony, "--fast")

    assert done.returncode == 2
    assert "--fast is not an option" in done.stderr

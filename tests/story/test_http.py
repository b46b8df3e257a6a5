import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.chat_server import ChatServer
from tests.story.conftest import Colony
from tests.worker.steps.trainers.conftest import answer, ti_guy_chat

TRIGGER = {"pipeline": "auto-retrain", "parameters": {"beeId": "spam-guard", "asOf": "2002-10-01T00:00:00Z"}}


@contextmanager
def served(colony: Colony) -> Iterator[httpx.Client]:
    """Serve the whole system in one process, and give a client of its API."""
    process = colony.start("serve", "--with-worker", "--port", "0")
    assert process.stderr is not None
    line = next(line for line in process.stderr if line.startswith("colony: http://"))
    with httpx.Client(base_url=line.split()[1] + "/", timeout=60) as client:
        yield client
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.fixture(name="api")
def _api(colony: Colony) -> Iterator[httpx.Client]:
    """Give a client of the API of the bootstrapped colony."""
    with served(colony) as client:
        yield client


def _follow(api: httpx.Client, run_id: str) -> tuple[list[Any], Any]:
    """Return the states that the stream told, and its end."""
    states: list[Any] = []
    with api.stream("GET", f"pipeline/run/{run_id}/events") as stream:
        kind = ""
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            kind = value if name == "event" else kind
            if name == "data" and kind == "end":
                return states, json.loads(value)
            if name == "data":
                states.append(json.loads(value))
    raise AssertionError("the stream ended before the run")


def test_a_retrain_over_http(api: httpx.Client) -> None:
    """Trigger, follow live to the end, look at what it made, and predict with the model that it brought."""
    triggered = api.post("pipeline/trigger", json=TRIGGER, headers={"Idempotency-Key": "october"})
    assert triggered.status_code == 202
    run_id = triggered.json()["runId"]
    again = api.post("pipeline/trigger", json=TRIGGER, headers={"Idempotency-Key": "october"})
    assert again.json()["runId"] == run_id

    states, end = _follow(api, run_id)

    assert end == {"runId": run_id, "status": "succeeded", "verdict": "deployed"}
    assert len(states) > 2
    run = api.get(f"pipeline/run/{run_id}").json()
    assert {step["status"] for step in run["steps"]} == {"succeeded"}
    assert {item["name"] for item in run["artifacts"]} >= {"rows", "evaluation", "model"}
    assert run["outcome"]["gate"]["lower"] > 0
    assert api.get("models/spam-guard").json()["trafficSplit"] == {"2": 100}
    features = {"user_reputation_score": 0.1, "spam_probability": 0.9}
    assert api.post("models/spam-guard/predict", json={"features": features}).json()["version"] == "2"
    rolled = api.post("models/spam-guard/rollback", json={"reason": "only a test"})
    assert rolled.json()["version"] == "1"
    assert api.post("models/spam-guard/predict", json={"features": features}).json()["version"] == "1"


def test_the_settings_in_production(colony: Colony, chat_server: ChatServer, tmp_path: Path) -> None:
    """A bee that generates text is retrained over HTTP, and its resource tells the settings that are in production."""
    bees = tmp_path / "own" / "bees"
    bees.mkdir(parents=True)
    trainer = {"space": {"temperature": [0.05, 0.9]}, "trials": 2}
    (bees / "ti-guy-chat.yaml").write_text(yaml.safe_dump(ti_guy_chat(trainer=trainer).frozen()), encoding="utf-8")
    colony.environment |= {"COLONY_CONFIG": str(bees.parent), "COLONY_CHAT_URL": chat_server.url}
    chat_server.answer = answer
    # What is drawn follows from the time that the run is of.
    parameters = {"beeId": "ti-guy-chat", "asOf": "2026-01-04T00:00:00Z"}
    asked = {"pipeline": "auto-retrain", "parameters": parameters}

    with served(colony) as api:
        before = api.get("models/ti-guy-chat").json()
        _, end = _follow(api, api.post("pipeline/trigger", json=asked).json()["runId"])
        after = api.get("models/ti-guy-chat").json()

    assert (before["version"], before["settings"]["temperature"]) == (None, 0.7)
    assert end["verdict"] == "deployed"
    assert (after["version"], after["settings"]["model"], after["settings"]["temperature"]) == ("1", "small", 0.05)
    assert after["settings"] == after["versions"][0]["lineage"]["hyperparameters"]


def test_a_new_store_has_the_default_features(tmp_path: Path) -> None:
    """Served for the first time, a colony has the mission's nine features; from then on they are its user's."""
    colony = Colony(tmp_path / "home")
    with served(colony) as api:
        names = [item["name"] for item in api.get("features").json()["features"]]
        value = {"entityId": "u1", "featureName": "user_reputation_score", "value": 0.5}
        assert api.post("features/store", json=value).status_code == 200
    process = colony.start("serve", "--port", "0")
    assert process.stderr is not None
    line = next(process.stderr)
    process.terminate()
    process.communicate(timeout=60)

    assert {"user_reputation_score", "content_quality_score", "spam_probability", "engagement_rate"} < set(names)
    assert line.startswith("colony: http://"), "nothing is defined a second time"

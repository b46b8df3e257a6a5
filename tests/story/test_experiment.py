"""Experiments as a person runs them: by command, on the demo's data, and for a bee that generates text."""

import itertools
import json
from pathlib import Path
from typing import Any

import yaml

from tests.chat_server import ChatServer
from tests.story.conftest import Colony
from tests.worker.steps.trainers.conftest import answer, ti_guy_chat
from worker.clock import parse_time

TABULAR = [
    {"name": "plain", "algorithm": "logistic_regression"},
    {"name": "strict", "algorithm": "logistic_regression", "C": 0.01},
    {"name": "forest 20", "algorithm": "random_forest", "n_estimators": 20},
    {"name": "forest 40", "algorithm": "random_forest", "n_estimators": 40},
    {"name": "shallow", "algorithm": "random_forest", "hyperparameters": {"n_estimators": 40, "max_depth": 3}},
    {"name": "boost 20", "algorithm": "hist_gradient_boosting", "max_iter": 20},
    {"name": "boost 40", "algorithm": "hist_gradient_boosting", "max_iter": 40},
    {"name": "broken", "algorithm": "random_forest", "n_estimators": -5},
]
OCTOBER = ("--as-of", "2002-10-01", "--wait")


def _overlap(variants: list[dict[str, Any]]) -> bool:
    spans = sorted((parse_time(item["startedAt"]), parse_time(item["endedAt"])) for item in variants)
    return any(later < end for (_, end), (later, _) in itertools.pairwise(spans))


def test_eight_variants_and_the_retraining_that_follows(colony: Colony) -> None:
    """Eight variants are compared, one of them broken; the winner is registered, and retraining takes it up."""
    colony.run("trigger", "experiment", "--bee", "spam-guard", *OCTOBER, "-p", f"variants={json.dumps(TABULAR)}")
    run = colony.rows("runs")[-1]
    comparison = run["outcome"]["comparison"]
    shown = colony.run("runs", "show", run["runId"])

    assert run["verdict"] == "registered"
    assert comparison["winner"] in {"forest 20", "forest 40"}
    assert [item["name"] for item in comparison["variants"] if item["status"] == "failed"] == ["broken"]
    assert _overlap(comparison["variants"])
    for item in TABULAR:
        assert str(item["name"]) in shown
    assert comparison["words"] in shown
    report = next(item["uri"] for item in run["artifacts"] if item["name"] == "report")
    assert report in shown
    assert Path(report).read_text(encoding="utf-8").startswith("<!doctype html>")

    colony.run("trigger", "auto-retrain", "--bee", "spam-guard", *OCTOBER)
    registered, deployed = colony.rows("models")[-2:]
    winner = next(item for item in comparison["variants"] if item["name"] == comparison["winner"])

    assert (registered["state"], registered["champion"]) == ("registered", False)
    assert (deployed["state"], deployed["champion"]) == ("deployed", True)
    assert deployed["lineage"]["hyperparameters"] == winner["hyperparameters"]
    assert run["runId"] in deployed["lineage"]["hyperparametersFrom"]


def test_all_variants_failing_fails_the_run(colony: Colony) -> None:
    """When no variant can be trained the run fails with the reasons, and nothing is registered."""
    variants = json.dumps([{"name": "a", "algorithm": "alchemy"}, {"name": "b", "algorithm": "ridge", "x": 1}])
    before = len(colony.rows("models"))
    told = colony.run("trigger", "experiment", "--bee", "spam-guard", *OCTOBER, "-p", f"variants={variants}", code=6)

    assert "all 2 variants failed" in told
    assert len(colony.rows("models")) == before


def test_three_settings_of_a_bee_that_generates(colony: Colony, chat_server: ChatServer, tmp_path: Path) -> None:
    """Three settings answer the bee's prompts at a chat endpoint; without one, nothing starts and the error says so."""
    bees = tmp_path / "own" / "bees"
    bees.mkdir(parents=True)
    spec = ti_guy_chat(trainer={"hyperparameters": "from_best_experiment"}).frozen()
    (bees / "ti-guy-chat.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    colony.environment["COLONY_CONFIG"] = str(bees.parent)
    chat_server.answer = answer
    variants = [
        {"name": "cool", "temperature": 0.1},
        {"name": "warm", "temperature": 0.5},
        {"name": "x", "model": "none"},
    ]
    words = ("trigger", "experiment", "--bee", "ti-guy-chat", "--wait", "-p", f"variants={json.dumps(variants)}")

    colony.run(*words, code=2)
    assert all(run["beeId"] != "ti-guy-chat" for run in colony.rows("runs"))

    colony.environment["COLONY_CHAT_URL"] = chat_server.url
    colony.environment["COLONY_CHAT_KEY"] = "hush"
    colony.run(*words)
    run = colony.rows("runs")[-1]
    colony.run("trigger", "auto-retrain", "--bee", "ti-guy-chat", "--wait")
    deployed = colony.rows("models")[-1]

    assert run["outcome"]["comparison"]["winner"] == "cool"
    assert _overlap(run["outcome"]["comparison"]["variants"])
    assert run["outcome"]["cost"]["usd"] > 0
    assert set(chat_server.keys) == {"Bearer hush"}
    assert (deployed["champion"], deployed["lineage"]["hyperparameters"]["temperature"]) == (True, 0.1)
    assert "hush" not in "".join(path.read_text("utf-8", "ignore") for path in colony.home.rglob("*.json"))

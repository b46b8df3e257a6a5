"""Experiments as a person runs them: by command, on the demo's data, and for a bee that generates text."""

import itertools
import json
import sqlite3
from pathlib import Path
from typing import Any

import yaml

from tests.chat_server import ChatServer
from tests.story.conftest import ROOT, Colony
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


def test_wrong_variants(colony: Colony) -> None:
    """Variants of a wrong shape are refused by the command before anything is stored, each with its place."""
    wrong = {
        'variants=[{"name": "a"}, {"name": 7}]': "parameters.variants[1].name: is not a name",
        'variants=[{"name": "a"}, {"name": "a"}]': "parameters.variants[1].name: 'a' is taken",
        'variants=[{"name": "a"}, 3]': "parameters.variants[1]: 3 is not an object",
        "variants={}": "parameters.variants: {} is not a list",
        'grid={"max_depth": 4}': "parameters.grid.max_depth: is not a list of values",
        "auto=500": "parameters.auto: 500 does not fit",
        "auto=0": "there are 0 variants",
    }
    for given, words in wrong.items():
        told = colony.refusal("trigger", "experiment", "--bee", "spam-guard", "-p", given)

        assert words in told
    assert len(colony.rows("runs")) == 1, "the first champion's"


WEEKLY = """
name: weekly-experiment
extends: experiment
trigger: schedule
schedule:
  cron: 30 2 * * 1
  zone: Europe/Berlin
  parameters:
    beeId: old-guard
    variants:
      - {name: plain, algorithm: logistic_regression}
      - {name: forest, algorithm: random_forest, n_estimators: 20}
steps:
  - {id: train_variants, parallelism: 1, timeout: 10m}
"""


def test_an_experiment_by_schedule(colony: Colony, tmp_path: Path) -> None:
    """A template that extends `experiment` runs it every week with its own variants; without any it is refused."""
    own = tmp_path / "own"
    for name in ("bees", "pipelines"):
        (own / name).mkdir(parents=True)
    bee = yaml.safe_load((ROOT / "config/bees/spam-guard.yaml").read_text(encoding="utf-8"))
    # The runs are of this week, the demo's rows of 2002.
    text = yaml.safe_dump({**bee, "bee": "old-guard", "window": "36500d"})
    (own / "bees" / "old-guard.yaml").write_text(text, encoding="utf-8")
    path = own / "pipelines" / "weekly-experiment.yaml"
    colony.environment["COLONY_CONFIG"] = str(own)
    path.write_text(WEEKLY.partition("    variants:")[0], encoding="utf-8")
    refused = colony.run("pipelines", "validate", "weekly-experiment", code=2)
    path.write_text(WEEKLY, encoding="utf-8")
    colony.run("pipelines", "compile", "weekly-experiment")
    colony.run("drain")
    with sqlite3.connect(colony.home / "ledger.db") as database:
        database.execute("UPDATE schedules SET due = due - 8 * 86400 * 1000000")

    colony.run("drain")

    run = colony.rows("runs")[-1]
    comparison = run["outcome"]["comparison"]
    assert "there are 0 variants" in refused
    assert (run["pipeline"], run["trigger"], run["beeId"]) == ("weekly-experiment", "schedule", "old-guard")
    assert (run["verdict"], run["error"]) == ("registered", None)
    assert {item["name"]: item["status"] for item in comparison["variants"]} == dict.fromkeys(
        ("plain", "forest"), "compared"
    )
    assert not _overlap(comparison["variants"]), "one at a time, as `parallelism` says"
    assert [step["stepId"] for step in run["steps"]][3:5] == [f"train_variants/{n}/train_variants" for n in range(2)]


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

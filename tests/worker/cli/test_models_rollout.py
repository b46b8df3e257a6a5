"""The story of a rollout on the command line: labels come in day by day, and evidence alone takes it on, or back."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn.linear_model import LogisticRegression

from tests.worker.cli.conftest import Here
from worker.cli.common import opened
from worker.models.port import ModelVersion
from worker.models.traffic import place

DAY = timedelta(days=1)
START = datetime(2024, 3, 1, tzinfo=UTC)
STEPS = [{"percent": percent, "minTime": "1d", "minOutcomes": 150} for percent in (10, 50, 100)]
SPEC: dict[str, Any] = {
    "bee": "rolled",
    "entity": "thing",
    "label": "label",
    "features": ["left"],
    "metric": "f1",
    "rollout": {"strategy": "canary", "steps": STEPS, "margin": 0.1, "limit": "5d"},
}
METADATA = {"features": ["left"], "kinds": {"left": "number"}, "task": "binary"}


@pytest.fixture(name="models", scope="module")
def _models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give models that say 1 where `left` is at least so much: 5 is right."""
    from worker.adapters.models.skops_format import SkopsFormat

    found = {}
    for threshold in (5, 6, 9):
        rows = np.arange(10.0).repeat(20).reshape(-1, 1)
        found[str(threshold)] = tmp_path_factory.mktemp("models") / f"{threshold}.skops"
        fitted = LogisticRegression(C=100.0).fit(rows, (rows[:, 0] >= threshold).astype(float))
        SkopsFormat().dump(fitted, METADATA, found[str(threshold)])
    return found


@pytest.fixture(name="colony")
def _colony(here: Here, models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    """Give the commands with a champion that is wrong in a tenth, a good version 2, and a bad 3 without a gate."""
    bees = tmp_path / "layer" / "bees"
    bees.mkdir(parents=True)
    (bees / "rolled.yaml").write_text(yaml.safe_dump(SPEC), encoding="utf-8")
    monkeypatch.setenv("COLONY_CONFIG", str(tmp_path / "layer"))
    day(here, tmp_path, 0, "--define")
    adopted = here(
        "models", "adopt", "--bee", "rolled", "--version", "1", "--artifact", str(models["6"]), "--trained-until",
        "2024-02-01",
    )  # fmt: skip
    assert adopted[0] == 0
    with opened() as app, app.ledger.begin() as transaction:
        for number, threshold in (("2", "5"), ("3", "9")):
            artifact = app.artifacts.put(models[threshold])
            passed, state = number == "2", "registered" if number == "2" else "refused"
            transaction.models.add(ModelVersion("rolled", number, state, artifact, None, START, passed))
    return here


def day(here: Here, directory: Path, number: int, *options: str) -> None:
    """Import a day's hundred things and their labels, each known when it happened."""
    file = directory / f"{number}.csv"
    lines = ["thing,at,left,label"]
    for index in range(100):
        at = START + number * DAY + index * timedelta(minutes=14)
        left = index % 10
        lines.append(f"t{number}-{index},{at:%Y-%m-%dT%H:%M:%SZ},{left},{int(left >= 5)}")
    file.write_text("\n".join(lines), encoding="utf-8")
    words = ("--entity", "thing", "--entity-id", "thing", "--event-time", "at", "--known-at", "at")
    code, _, errors = here("features", "import", str(file), *words, *options)
    assert code == 0, errors


def rows(out: str) -> list[dict[str, Any]]:
    """Return the JSON objects of an answer."""
    return [json.loads(line) for line in out.splitlines()]


def at(number: float) -> str:
    """Return a moment so many days after the start."""
    return f"{START + number * DAY:%Y-%m-%dT%H:%M:%SZ}"


def test_evidence_takes_a_good_version_to_everybody(colony: Here, tmp_path: Path) -> None:
    """Under the bee's plan, step by step as labels come in: each look says what is missing, the last one verifies."""
    words = ("--version", "2", "--reason", "it is better", "--by", "ada", "--as-of", at(1))
    code, out, errors = colony("models", "promote", "rolled", *words)
    assert (code, "version 2 serves 10 %, version 1 serves 90 %" in out) == (0, True), errors

    day(colony, tmp_path, 1)
    code, out, _ = colony("models", "verify", "rolled", "--as-of", at(2))
    assert code == 0
    assert "outcomes since the step began: 100 of 150" in out
    assert "→ waits:" in out
    assert "100 of 150 outcomes are in" in out

    looks = []
    for number in range(2, 7):
        day(colony, tmp_path, number)
        (look,) = rows(colony("models", "verify", "--as-of", at(number + 1), "--json")[1]) or [None]
        looks.append(look)
        if look["state"] == "verified":
            break
    assert [(look["look"]["move"], look["trafficSplit"]) for look in looks] == [
        ("advance", {"2": 50, "1": 50}),
        ("wait", {"2": 50, "1": 50}),
        ("advance", {"2": 100, "1": 0}),
        ("wait", {"2": 100, "1": 0}),
        ("verify", {"2": 100}),
    ]
    told = looks[-1]["evidence"]["primary"]
    assert (told["metric"], told["source"], told["count"]) == ("accuracy", "outcomes", 600)
    assert (told["champion"], told["challenger"]) == (pytest.approx(0.9), 1.0)
    assert told["verdict"] in {"better", "not_worse"}
    assert [event["type"] for event in rows(colony("events", "--json")[1])] == [
        "model.deployed",
        "model.rollout.started",
        "model.rollout.advanced",
        "model.rollout.advanced",
        "model.deployed",
    ]


def test_a_worse_version_that_was_forced_is_taken_back(colony: Here, tmp_path: Path) -> None:
    """Past its gate by force it follows the plan all the same, and the rows alone take it back, with the numbers."""
    words = ("--version", "3", "--reason", "trust me", "--by", "bob", "--as-of", at(1))
    assert colony("models", "promote", "rolled", *words)[0] == 2
    assert colony("models", "promote", "rolled", *words, "--force")[0] == 0
    number = 1
    while rows(colony("models", "split", "rolled", "--json")[1])[0]["trial"]:
        assert number < 8
        day(colony, tmp_path, number)
        number += 1
        code, out, _ = colony("models", "verify", "rolled", "--as-of", at(number))
        assert code == 0
    assert "rolled back: worse: accuracy 0.9 → 0.6" in out
    changes = rows(colony("models", "history", "rolled", "--json")[1])
    assert [(change["version"], change["trafficSplit"], change["by"]) for change in changes] == [
        ("1", {"1": 100}, None),
        ("1", {"3": 10, "1": 90}, "bob"),
        ("1", {"1": 100}, None),
    ]
    assert changes[-1]["numbers"]["upper"] < 0
    told = colony("models", "history", "rolled")[1]
    assert ["the rollout" in line for line in told.splitlines() if "1: 100 %" in line] == [False, True]
    assert "bob" in told
    assert "accuracy 0.900 → 0.600" in told
    versions = {one["version"]: one for one in rows(colony("models", "--json")[1])}
    assert (versions["3"]["state"], versions["3"]["forced"]) == ("refused", "trust me")


def test_without_labels_a_person_is_asked(colony: Here) -> None:
    """At its limit a step without evidence is held, and never advances by itself."""
    colony("models", "promote", "rolled", "--version", "2", "--reason", "better", "--as-of", at(1))
    code, out, _ = colony("models", "verify", "--as-of", at(6))
    assert (code, "→ held: no evidence within 5d" in out) == (0, True)
    escalated = [event for event in rows(colony("events", "--json")[1]) if event["type"] == "incident.escalated"]
    assert [event["data"]["incidentId"] for event in escalated] == [None]


def recording(directory: Path, *days: int) -> str:
    """Write a recording of good evaluations of the champion, one on each of these days."""
    file = directory / "events.jsonl"
    events = [
        {"type": "model.evaluated", "beeId": "rolled", "modelVersion": "1", "evaluatedAt": at(number),
         "metrics": {"f1": 0.9}, "baseline": {"f1": 0.9}, "window": {"sampleCount": 100}}
        for number in days
    ]  # fmt: skip
    file.write_text("\n".join(json.dumps(event) for event in events), encoding="utf-8")
    return str(file)


def test_a_replay_looks_when_it_is_due(colony: Here, tmp_path: Path) -> None:
    """Between two events days apart each step is advanced when its evidence was in, and held when it lacked any."""
    for number in (1, 2, 3):
        day(colony, tmp_path, number)
    colony("models", "promote", "rolled", "--version", "2", "--reason", "better", "--as-of", at(1))
    code, out, _ = colony("replay", recording(tmp_path, 1, 20), "--wait")
    assert (code, "rolled version 2: not worse" in out, "version 2: no evidence within 5d" in out) == (0, True, True)
    changes = rows(colony("models", "history", "rolled", "--json")[1])
    assert [(change["at"], change["trafficSplit"]) for change in changes[1:]] == [
        (at(1), {"2": 10, "1": 90}),
        (at(3), {"2": 50, "1": 50}),
    ]
    held = [event for event in rows(colony("events", "--json")[1]) if event["type"] == "model.rollout.held"]
    assert [event["time"] for event in held] == [at(8)]


def test_a_drain_looks(colony: Here, tmp_path: Path) -> None:
    """A job takes rollouts on as a worker does; what it concludes leaves with it."""
    for number in (1, 2, 3):
        day(colony, tmp_path, number)
    colony("models", "promote", "rolled", "--version", "2", "--reason", "better", "--as-of", at(1))
    assert colony("drain", "--idle-seconds", "0")[0] == 0
    assert rows(colony("models", "split", "rolled", "--json")[1])[0]["trafficSplit"] == {"2": 50, "1": 50}
    told = [event["type"] for event in rows(colony("events", "--json")[1])]
    assert told[-2:] == ["model.rollout.started", "model.rollout.advanced"]


def test_whoever_asks_is_told_who_serves_whom(colony: Here) -> None:
    """The split, its salt and its steps; of an entity its place and its version, as any other language computes it."""
    colony("models", "promote", "--bee", "rolled", "--version", "2", "--reason", "better", "--as-of", at(1))
    (split,) = rows(colony("models", "split", "rolled", "--entity", "t-17", "--json")[1])
    assert split["trafficSplit"] == {"2": 10, "1": 90}
    assert split["salt"] == split["trial"]["id"]
    assert [step["reached"] for step in split["trial"]["steps"]] == [True, False, False]
    assert split["entity"]["place"] == place(split["salt"], "t-17")
    assert split["entity"]["version"] == ("2" if split["entity"]["place"] < 10 else "1")
    out = colony("models", "split", "rolled", "--entity", "t-17")[1]
    assert "[10 % (1d, 150 outcomes)] → 50 %" in out
    assert f"t-17 is served by version {split['entity']['version']}" in out
    listed = [line.split() for line in colony("models")[1].splitlines()[1:]]
    assert [line[:4] for line in listed[:2]] == [["*", "90", "%", "rolled"], ["10", "%", "rolled", "2"]]
    colony("models", "rollback", "rolled", "--reason", "no", "--as-of", at(1.5))
    (split,) = rows(colony("models", "split", "rolled", "--entity", "t-17", "--json")[1])
    assert (split["trafficSplit"], split["trial"], split["entity"]["version"]) == ({"1": 100}, None, "1")


def test_a_promotion_can_jump_the_plan(colony: Here) -> None:
    """--immediate puts it into production at once, and says so in the history."""
    words = ("--version", "2", "--reason", "fire", "--by", "ada", "--immediate")
    assert "version 1 → 2" in colony("models", "promote", "rolled", *words)[1]
    assert "fire" in colony("models", "history", "rolled")[1]
    assert rows(colony("models", "verify", "--json")[1]) == []


WRONG: list[tuple[tuple[str, ...], int]] = [
    (("models", "verify", "stranger"), 4),
    (("models", "verify", "rolled", "--as-of", "2999-01-01"), 2),
    (("models", "split", "stranger"), 4),
    (("models", "history", "stranger"), 4),
    (("models", "promote", "--version", "2", "--reason", "x"), 2),
    (("models", "promote", "rolled", "--bee", "other", "--version", "2", "--reason", "x"), 2),
    (("models", "promote", "rolled", "--version", "2", "--reason", "x", "--as-of", "2999-01-01"), 2),
]


def test_what_makes_no_sense_is_refused(colony: Here) -> None:
    """With the exit code that says what kind of mistake it is."""
    assert [colony(*words)[0] for words, _ in WRONG] == [code for _, code in WRONG]

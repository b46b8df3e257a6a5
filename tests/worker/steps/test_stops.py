"""Runs that end early with a reason, and things that must not pass."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.worker.steps.conftest import Done
from worker.bee import BeeSpec
from worker.errors import Rejected
from worker.steps.files import local_path
from worker.steps.tables import read_rows, write_rows

OCTOBER = "2002-10-01T00:00:00Z"
TRAINING = ("data_collection", "data_preprocessing", "training")


def _stopped(outcome: dict[str, Any], words: str) -> None:
    assert outcome["verdict"] == "rejected"
    assert words in outcome["reason"]
    assert outcome["challenger"] is None


def test_nothing_new_is_refused_before_training(new_runner: Any, spam_guard: BeeSpec, champion: dict[str, Any]) -> None:
    """Too few labels since the champion's snapshot: every later step passes the reason on and succeeds."""
    runner = new_runner()
    outcome = runner.run(runner.frozen(spam_guard, OCTOBER, champion=champion, newRowsSince="2002-09-30T20:00:00Z"))

    _stopped(outcome, "nothing new")
    assert outcome["stage"] == "collect"
    assert "stopped" in json.loads(runner.paths["deployment"].read_bytes())


def test_too_few_rows_are_refused(new_runner: Any, spam_guard: BeeSpec) -> None:
    """A window with few labels, or a hold-out that would be too small, ends the run as rejected."""
    early = new_runner()
    _stopped(early.run(early.frozen(spam_guard, "2002-07-03T00:00:00Z")), "too few rows")
    small = new_runner()
    gate = spam_guard.gate.model_copy(update={"holdout": 0.05})
    bee = spam_guard.model_copy(update={"gate": gate})
    _stopped(small.run(small.frozen(bee, "2002-08-01T00:00:00Z")), "in the hold-out")


def test_a_window_that_begins_before_time_does(new_runner: Any, spam_guard: BeeSpec) -> None:
    """As of the first days of the year 1 there are no rows, and nothing breaks."""
    runner = new_runner()
    _stopped(runner.run(runner.frozen(spam_guard, "0001-01-02T00:00:00Z")), "too few rows: 0")


def test_rows_that_the_champion_saw_are_no_holdout(
    new_runner: Any, spam_guard: BeeSpec, champion: dict[str, Any]
) -> None:
    """If the champion was trained until after the window, or nobody knows until when, there are no unseen rows."""
    for until in ("2002-10-05T00:00:00Z", None):
        runner = new_runner()
        run = runner.frozen(spam_guard, OCTOBER, champion=champion | {"trainedUntil": until})
        _stopped(runner.run(run | {"newRowsSince": "2002-08-01T00:00:00Z"}), "no unseen rows")


def test_holdout_begins_after_what_the_champion_saw(
    new_runner: Any, spam_guard: BeeSpec, champion: dict[str, Any]
) -> None:
    """Rows at or before the champion's last training row are dropped from the hold-out."""
    until = "2002-09-27T00:00:00Z"
    runner = new_runner()
    run = runner.frozen(spam_guard, OCTOBER, champion=champion | {"trainedUntil": until})
    runner.step("data_collection", run | {"newRowsSince": "2002-08-01T00:00:00Z"})
    context = runner.step("data_preprocessing", run)
    told = json.loads((context.outputs["holdout"].parent / "holdout.metadata.json").read_bytes())

    assert told["start"] > until
    assert told["columns"]["label"]["kind"] == "number"


def test_one_class_cannot_be_learned(new_runner: Any, spam_guard: BeeSpec) -> None:
    """A training part whose labels are all the same ends the run as rejected."""
    runner = new_runner()
    run = runner.frozen(spam_guard, OCTOBER)
    runner.step("data_collection", run)
    runner.step("data_preprocessing", run)
    _only_ham(runner.paths["train"])
    outcome = runner.run(run, ("training", "evaluation", "registration", "deployment"))

    _stopped(outcome, "one class only")


def _only_ham(path: Path) -> None:
    rows = read_rows(path)
    write_rows(path, rows.take([index for index, label in enumerate(rows.columns["label"]) if label == 0]))


def test_the_same_snapshot_and_seed_give_the_same_model(
    new_runner: Any, spam_guard: BeeSpec, champion: dict[str, Any], october: Done
) -> None:
    """Two runs with the same data and seed write the same model and numbers; another seed another model."""
    outcomes = [october.outcome]
    for seed in (october.run["seed"], october.run["seed"] + 1):
        runner = new_runner()
        outcomes.append(runner.run(runner.frozen(spam_guard, OCTOBER, champion=champion, seed=seed)))
    seen = [(one["challenger"]["sha256"], one["gate"]["lower"], one["lineage"]["rowsSha256"]) for one in outcomes]

    assert seen[0] == seen[1]
    assert seen[0][0] != seen[2][0]
    assert seen[0][2] == seen[2][2]


def test_a_step_may_run_twice(new_runner: Any, july: Done) -> None:
    """Registering and deploying again changes nothing but the time they took."""
    runner, run = july.copied(new_runner())
    first = runner.run(run, ())
    again = runner.run(run, ("registration", "deployment"))

    assert first | {"cost": None} == again | {"cost": None}
    assert first["cost"]["steps"].keys() == again["cost"]["steps"].keys()


def test_another_model_than_the_scored_one_is_not_registered(new_runner: Any, july: Done) -> None:
    """If the model file changes between scoring and registration, the step is rejected."""
    runner, run = july.copied(new_runner())
    runner.paths["model"].write_bytes(b"another")

    with pytest.raises(Rejected, match="not the one that was scored"):
        runner.step("registration", run)


def test_a_champion_with_another_hash_is_not_scored(new_runner: Any, champion: dict[str, Any], october: Done) -> None:
    """If production's file is not what was registered, nothing is compared with it."""
    runner, run = october.copied(new_runner())
    stored = local_path(champion["uri"])
    content = stored.read_bytes()
    stored.write_bytes(content + b" ")
    try:
        with pytest.raises(Rejected, match="hash"):
            runner.step("evaluation", run)
    finally:
        stored.write_bytes(content)

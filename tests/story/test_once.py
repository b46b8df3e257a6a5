"""However often an event comes, and whoever takes it, it has one effect."""

import json
import random
from pathlib import Path

from tests.story.conftest import Colony, evaluation


def test_fifty_deliveries_in_two_processes_are_one_run(colony: Colony, tmp_path: Path) -> None:
    """The same drifted evaluation 50 times among others, shuffled, replayed by two processes at once: one run."""
    lines = [evaluation("drift", "2002-10-01T00:00:00Z", 0.45)] * 50
    lines += [evaluation(f"quiet-{day}", f"2002-09-{day:02}T00:00:00Z", 0.92) for day in range(1, 11)]
    files = []
    for number in range(2):
        random.Random(number).shuffle(lines)
        files.append(tmp_path / f"{number}.jsonl")
        files[-1].write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")

    replays = [colony.start("replay", str(file)) for file in files]
    ends = [(*replay.communicate(timeout=120), replay.returncode) for replay in replays]

    assert [code for *_, code in ends] == [0, 0], ends
    triggered = [row for row in colony.rows("decisions") if row["action"] == "trigger"]
    assert len(triggered) == 1
    assert triggered[0]["deliveries"] == 100
    runs = {run["trigger"]: run for run in colony.rows("runs")}
    assert len(colony.rows("runs")) == 2, "the first champion's, and this one"
    assert runs["drift"]["runId"] == triggered[0]["runId"]
    assert runs["drift"]["verdict"] == "deployed"
    versions = colony.rows("models")
    assert [(model["version"], model["champion"]) for model in versions] == [("1", False), ("2", True)]
    published = [event for event in colony.rows("events") if event["type"] == "model.deployed"]
    assert [event["data"]["version"] for event in published] == ["1", "2"]
    assert all(event["published"] for event in colony.rows("events"))


def test_a_plain_event_without_id_or_time_is_taken(colony: Colony) -> None:
    """The mission's own shape, a plain object without id and time, is decided; the same line again is a duplicate."""
    event = {"type": "model.evaluated", "beeId": "spam-guard", "modelVersion": "1", "drift": {"detected": False}}
    path = colony.home / "plain.jsonl"
    path.write_text(json.dumps(event) + "\n", encoding="utf-8")

    first, second = (json.loads(colony.run("replay", str(path), "--json")) for _ in range(2))

    assert first["action"] == "none"
    assert second["action"] == "duplicate"


def test_a_dry_run_changes_nothing(colony: Colony) -> None:
    """`--dry-run` prints the decision of a drifted evaluation and leaves every file as it was."""
    before = _files(colony.home)
    line = json.dumps(evaluation("drift", "2002-10-01T00:00:00Z", 0.45)) + "\n"

    said = json.loads(colony.run("replay", "-", "--dry-run", "--json", stdin=line))

    assert said["action"] == "trigger"
    assert _files(colony.home) == before


def _files(home: Path) -> dict[str, bytes]:
    skipped = (".db-shm", ".db-wal", "-shm", "-wal")
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and not path.name.endswith(skipped)
    }

"""`kill -9` at any moment: whoever comes next ends it as if nothing had happened."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.story.conftest import Colony, evaluation

KILLS = 20


def test_twenty_kills_leave_one_version_one_deployment_and_every_event(colony: Colony, tmp_path: Path) -> None:
    """A worker killed at 20 random moments of a run, restarted each time, ends with exactly one of everything."""
    recording = tmp_path / "drift.jsonl"
    recording.write_text(json.dumps(evaluation("drift", "2002-10-01T00:00:00Z", 0.45)) + "\n", encoding="utf-8")
    moments = random.Random(20260101)
    kills = 0
    for _ in range(KILLS):
        worker = colony.start("replay", str(recording), "--wait", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            worker.wait(timeout=moments.uniform(0.3, 2.4))
        except subprocess.TimeoutExpired:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            kills += 1
    colony.run("replay", str(recording), "--wait")
    colony.run("drain")

    assert kills >= 15, f"only {kills} of {KILLS} moments lay within the run"
    assert [run["verdict"] for run in colony.rows("runs")] == ["deployed", "deployed"]
    assert [(row["version"], row["champion"]) for row in colony.rows("models")] == [("1", False), ("2", True)]
    events = colony.rows("events")
    assert len({event["id"] for event in events}) == len(events)
    assert [int(event["sequence"]) for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events][-6:] == [
        "incident.opened",
        "pipeline.run.requested",
        "pipeline.run.started",
        "pipeline.run.succeeded",
        "model.registered",
        "model.deployed",
    ]
    _published_all(colony.home / "events.jsonl", events)
    _nothing_left_over(colony.home)


def _published_all(path: Path, events: list[dict[str, object]]) -> None:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    first = list(dict.fromkeys(line["id"] for line in lines))
    assert first == [event["id"] for event in events], "each id was published, first time in order; repeats are allowed"


def _nothing_left_over(home: Path) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        left = [command for command in _commands() if str(home) in command[1]]
        if not left:
            return
        time.sleep(0.1)
    pytest.fail(f"processes were left over: {left}")


def _commands() -> list[tuple[str, str]]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        if int(path.name) == os.getpid():
            continue
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (path / "environ").read_bytes().decode(errors="replace")
        except OSError:
            # It ended while being looked at: then it is not left over.
            continue
        found.append((command, environment))
    return found

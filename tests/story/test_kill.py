"""`kill -9` at any moment: whoever comes next ends it as if nothing had happened."""

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.story.conftest import Colony, evaluation

#: Moments in the order of a run: each step begun, the pipeline ended, the run settled.
STAGES = (
    "collect_data",
    "preprocess",
    "train_model",
    "evaluate_model",
    "register_model",
    "deploy_if_better",
    "ended",
    "settled",
)
BETWEEN = 12
#: A start takes a second, on a busy machine a quarter of a minute.
PATIENCE_S = 120


@pytest.mark.timeout(1200)
def test_twenty_kills_leave_one_version_one_deployment_and_every_event(colony: Colony, tmp_path: Path) -> None:
    """A worker killed 20 times in the middle of its work, restarted each time, ends with exactly one of everything.

    Eight kills follow the beginning of each stage, twelve come at random after a worker took the run up.
    """
    # Else most of the time would go by waiting for the leases of the dead, and every kill would hit an idle worker.
    colony.environment["COLONY_LEASE_SECONDS"] = "1"
    recording = tmp_path / "drift.jsonl"
    recording.write_text(json.dumps(evaluation("drift", "2002-10-01T00:00:00Z", 0.45)) + "\n", encoding="utf-8")
    moments = random.Random(20260101)
    plan = sorted([(float(number), stage) for number, stage in enumerate(STAGES)] + _between(moments))
    hit = [_kill(colony, recording, stage, moments) for _, stage in plan]
    colony.run("replay", str(recording), "--wait")
    colony.run("drain")

    assert len(hit) == 20
    # Some stages last 30 ms, so that a kill may land in the next one.
    assert len(set(hit) & set(STAGES)) >= 6, hit
    assert [run["verdict"] for run in colony.rows("runs")] == ["deployed", "deployed"]
    assert [(row["version"], row["champion"]) for row in colony.rows("models")] == [("1", False), ("2", True)]
    events = [event for event in colony.rows("events") if event["subject"] == "spam-guard"]
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


def _between(moments: random.Random) -> list[tuple[float, str]]:
    return [(moments.uniform(-0.9, 2.9), "") for _ in range(BETWEEN)]


def _kill(colony: Colony, recording: Path, stage: str, moments: random.Random) -> str:
    """Kill a worker soon after `stage` began (without one: after it took the run up), and return where the run was."""
    ledger = colony.home / "ledger.db"
    before = _position(ledger)[1]
    worker = colony.start("replay", str(recording), "--wait", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + PATIENCE_S
    while worker.poll() is None:
        place, claims = _position(ledger)
        if stage in place if stage else claims > before:
            break
        assert time.monotonic() < end, f"{stage or 'a claim'} was not reached: {place}"
        time.sleep(0.002)
    time.sleep(moments.uniform(0, 0.01 if stage else 2.0))
    assert worker.poll() is None, f"the worker was through before it could be killed at {stage or 'random'}"
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    return _position(ledger)[0][-1]


def _position(ledger: Path) -> tuple[list[str], int]:
    """Return the stages that the run triggered by drift has begun, and how often a worker has taken it up."""
    with contextlib.closing(sqlite3.connect(ledger, timeout=10)) as connection:
        run = connection.execute("SELECT id, settled FROM runs WHERE trigger = 'drift'").fetchone()
        if run is None:
            return ["pending"], 0
        job = connection.execute("SELECT status, lease_epoch FROM engine_jobs WHERE run_id = ?", run[:1]).fetchone()
        rows = connection.execute(
            "SELECT path FROM engine_tasks WHERE run_id = ? AND status IN ('running', 'succeeded') ORDER BY position",
            run[:1],
        ).fetchall()
    begun = [stage for stage in STAGES if stage in {path.replace("-", "_") for (path,) in rows}]
    ended = ["ended"] if job and job[0] == "succeeded" else []
    return ["pending", *begun, *ended, *(["settled"] if run[1] else [])], job[1] if job else 0


def _published_all(path: Path, events: list[dict[str, object]]) -> None:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    first = list(dict.fromkeys(line["id"] for line in lines if line["subject"] == "spam-guard"))
    assert first == [event["id"] for event in events], "each id was published, first time in order; repeats are allowed"


def _nothing_left_over(home: Path) -> None:
    end = time.monotonic() + PATIENCE_S
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

"""Asked to stop in the middle of a run, every command ends well and soon, and the next one goes on at once."""

import json
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.story.conftest import Colony, evaluation
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.engine.state import Status


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("run", "--from", "{file}"), 0),
        (("drain", "--from", "{file}"), 3),
        (("replay", "{file}", "--wait"), 143),
        (("trigger", "auto-retrain", "--bee", "spam-guard", "--as-of", "2002-10-01", "--wait"), 143),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_sigterm_releases_what_is_in_hand(colony: Colony, words: tuple[str, ...], code: int) -> None:
    """SIGTERM while a step runs: the end within 8 s, no step left over, claims free, and one deployment after all."""
    file = colony.home / "drift.jsonl"
    file.write_text(json.dumps(evaluation("drift", "2002-10-01T00:00:00Z", 0.45)) + "\n", encoding="utf-8")
    process = colony.start(*(word.format(file=file) for word in words))
    _until_a_step_runs(colony)

    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)

    assert process.returncode == code, (out, err)
    assert time.monotonic() - asked < 8
    assert _processes(colony.home) == []
    assert _owners(colony.home) == {None}
    colony.run("drain")
    assert [(model["version"], model["state"]) for model in colony.rows("models")] == [
        ("1", "retired"),
        ("2", "deployed"),
    ]


def _until_a_step_runs(colony: Colony) -> None:
    ledger = SqlLedger(Database(f"sqlite:///{colony.home}/ledger.db"))
    end = time.monotonic() + 60
    # In this process: another one to look would take as long as a whole run.
    with closing(ledger):
        while time.monotonic() < end:
            with ledger.begin(write=False) as transaction:
                steps = [step for run in transaction.runs.list() for step in transaction.runs.steps(run.id)]
            if any(step.status is Status.RUNNING for step in steps):
                return
            time.sleep(0.02)
    pytest.fail("no step has started")


def _owners(home: Path) -> set[str | None]:
    """Return who holds the claims on runs, and on the work of the engine."""
    with closing(sqlite3.connect(home / "ledger.db", timeout=30)) as connection:
        return {
            row[0]
            for table in ("runs", "engine_jobs")
            for row in connection.execute(f"SELECT lease_owner FROM {table}")  # noqa: S608 - the tables' names
        }


def _processes(home: Path) -> list[str]:
    """Return the command lines of processes that work on the data directory."""
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdecimal():
            try:
                if f"COLONY_HOME={home}\0".encode() in (directory / "environ").read_bytes() + b"\0":
                    found.append((directory / "cmdline").read_text(encoding="utf-8").replace("\0", " "))
            except OSError:
                continue  # it has ended, or is another's
    return found

"""Asked to stop in the middle of a flood, or while the database hangs: exit 0, and nothing is half-done or lost."""

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.postgres import PostgresServer
from tests.story import together

ROOT = Path(__file__).parents[2]
BEES, EVENTS = 12, 3000
#: Generous: the process itself ends within 8 s, or its exit code is not 0.
PATIENCE_S = 120
_POLICY = "approval: {runs: always, expires: 30d}\n"
_TIME = re.compile(r"20[2-9]\d-\d\d-\d\dT[\d:.]+(Z|\+00:00)")
_RECENT_US = 1_600_000_000_000_000


@dataclass(frozen=True)
class Worker:
    """The command line on one data directory, with events waiting in a file."""

    home: Path
    url: str
    environment: Mapping[str, str]
    events: Path

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start a command; what it says goes into a file."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("COLONY_", "GOOGLE_", "PIPELINE_", "PUBSUB_"))}
        environment = {**kept, **self.environment, "COLONY_HOME": str(self.home), "COLONY_LEDGER": self.url}
        command = [sys.executable, "-m", "worker", *words]
        with (self.home / "said").open("ab") as said:
            return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=said, stderr=said)

    def run(self) -> "subprocess.Popen[bytes]":
        """Start the long-lived worker on the events."""
        return self.start("run", "--from", str(self.events))

    def drain(self) -> None:
        """Take all that is left, to the end."""
        assert self.start("drain", "--from", str(self.events)).wait(PATIENCE_S) == 0, self.said()

    def said(self) -> str:
        """Return the end of what the commands said."""
        return (self.home / "said").read_text()[-2000:]

    def stop(self, process: "subprocess.Popen[bytes]") -> None:
        """Ask it to stop, and check that it ends well."""
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0, self.said()

    def contents(self) -> dict[str, list[dict[str, Any]]]:
        """Return the ledger's rows without what the clock alone decides."""
        return {table: [_timeless(row) for row in rows] for table, rows in together.contents(self.url).items()}


def _flood() -> list[str]:
    """Return mostly healthy evaluations; among them types that nobody handles, and lines that are no JSON."""
    events = together.events(EVENTS, BEES, seed=7)
    for number, event in enumerate(events):
        if event["type"] == "run.ended" and number % 20:
            event["type"] = "model.evaluated"
        if number % 6:
            event["data"]["metrics"]["f1"] = 0.9
    lines = [json.dumps(event) for event in events]
    lines[100::500] = ["{broken"] * len(lines[100::500])
    return lines


def _timeless(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _unclocked(value) for name, value in row.items()}


def _unclocked(value: Any) -> Any:
    if isinstance(value, str):
        return _TIME.sub("now", value)
    return "now" if isinstance(value, int) and value > _RECENT_US else value


@pytest.fixture(name="worker", scope="module")
def _worker(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Worker]:
    """Return a function that makes a worker on a ledger of its own; all of them have the same events before them."""
    tmp_path = tmp_path_factory.mktemp("flood")
    config = tmp_path / "config"
    (config / "bees").mkdir(parents=True)
    (config / "policy.yaml").write_text(_POLICY)
    spec = (ROOT / "config" / "bees" / "spam-guard.yaml").read_text()
    for name in together.bees(BEES):
        (config / "bees" / f"{name}.yaml").write_text(spec.replace("bee: spam-guard", f"bee: {name}"))
    file = tmp_path / "flood.jsonl"
    file.write_text("\n".join(_flood()) + "\n")

    def made(name: str, url: str | None = None) -> Worker:
        home = tmp_path / name
        home.mkdir()
        found = Worker(home, url or f"sqlite:///{home / 'ledger.db'}", {"COLONY_CONFIG": str(config)}, file)
        together.prepare(found.url, BEES)
        return found

    return made


@pytest.fixture(name="expected", scope="module")
def _expected(worker: Callable[..., Worker]) -> dict[str, list[dict[str, Any]]]:
    """Return what a worker leaves that nothing ever disturbed."""
    undisturbed = worker("undisturbed")
    undisturbed.drain()
    found = undisturbed.contents()
    assert {row["action"] for row in found["decisions"]} == {"held", "attached", "none"}
    return found


def test_sigterm_at_any_moment_of_a_flood(worker: Callable[..., Worker], expected: dict[str, Any]) -> None:
    """Stopped while it starts and in the middle of batches, again and again: the ledger of an undisturbed worker."""
    disturbed = worker("disturbed")
    starting = disturbed.run()
    _until(lambda: _listens(starting.pid), disturbed)
    disturbed.stop(starting)
    chance = random.Random(20261123)
    left = []
    for share in sorted(chance.uniform(0.02, 0.8) for _ in range(3)):
        process = disturbed.run()
        _until(lambda process=process: _listens(process.pid), disturbed)  # type: ignore[misc]
        _until(lambda share=share: _decided(disturbed) >= share * EVENTS, disturbed)  # type: ignore[misc]
        disturbed.stop(process)
        left.append(EVENTS - _decided(disturbed))

    assert any(left), "every stop came too late to disturb anything"
    disturbed.drain()
    assert disturbed.contents() == expected
    together.check_appeared(disturbed.url, disturbed.home / "events.jsonl")


def test_sigterm_while_the_database_hangs(
    worker: Callable[..., Worker], expected: dict[str, Any], postgres_server: PostgresServer
) -> None:
    """Another's lock holds a batch up for good: the worker ends with 0 all the same, and the next one goes on."""
    hanging = worker("hanging", postgres_server.fresh())
    process = hanging.run()
    with psycopg.connect(hanging.url) as other:
        _until(lambda: _count(other) > EVENTS / 10, hanging)
        other.execute("LOCK TABLE bee_state, inbox IN ACCESS EXCLUSIVE MODE")
        with psycopg.connect(hanging.url, autocommit=True) as watching:
            _until(lambda: _waiting(watching), hanging)
        hanging.stop(process)

    hanging.drain()
    assert hanging.contents() == expected
    together.check_appeared(hanging.url, hanging.home / "events.jsonl")


def _until(reached: Callable[[], bool], worker: Worker) -> None:
    end = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < end, worker.said()
        time.sleep(0.005)


def _listens(pid: int) -> bool:
    """Tell whether a process has a handler for SIGTERM by now; before, it is the interpreter that starts."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    (caught,) = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def _decided(worker: Worker) -> int:
    connection = sqlite3.connect(worker.home / "ledger.db", timeout=30)
    try:
        return int(connection.execute("SELECT count(*) FROM inbox").fetchone()[0])
    finally:
        connection.close()


def _count(connection: "psycopg.Connection[Any]") -> int:
    row = connection.execute("SELECT count(*) FROM inbox").fetchone()
    connection.commit()
    return int(row[0]) if row else 0


def _waiting(connection: "psycopg.Connection[Any]") -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    row = connection.execute(query).fetchone()
    return bool(row and row[0])

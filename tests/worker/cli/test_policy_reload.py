"""The policy of a running worker."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.worker.world import data
from worker.adapters.ledger.sql import SqlLedger

ROOT = Path(__file__).parents[3]


class Running:
    """`colony run --http` that reads events from its standard input."""

    def __init__(self, home: Path, layer: Path, ledger: SqlLedger) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("COLONY_", "GOOGLE_"))}
        ours = {"COLONY_HOME": str(home), "COLONY_CONFIG": str(layer), "COLONY_PORT": "0"}
        command = [sys.executable, "-m", "worker", "run", "--http", "--from", "-"]
        self.said = (home / "said").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            command,
            env={**kept, **ours},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=self.said,
            stderr=self.said,
            text=True,
        )
        self.ledger = ledger
        self.sent = 0
        found = until(lambda: re.search(r"http://[0-9.:]+", (home / "said").read_text(encoding="utf-8")))
        self.url = found.group()

    def threshold(self) -> tuple[float, str]:
        """Send an evaluation; return the threshold it was judged by and the policy's version."""
        self.sent += 1
        body = {**data(metrics={"f1": 0.9}, evaluatedAt=None), "type": "model.evaluated", "id": f"e{self.sent}"}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(body) + "\n")
        self.process.stdin.flush()
        entry = until(lambda: self._decided(f"e{self.sent}"))
        return entry.rules[0]["inputs"]["threshold"], entry.policy_version

    def _decided(self, id_: str) -> Any:
        with self.ledger.begin(write=False) as transaction:
            return transaction.decisions.get("//colony/plain", id_)

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Ask /readyz."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=60) as answer:  # noqa: S310 - our own
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


def until(look: Callable[[], Any]) -> Any:
    """Return what `look` finds; fail after two minutes."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen within two minutes")


@pytest.fixture(name="running")
def _running(home: Path, tmp_path: Path, ledger: SqlLedger) -> Iterator[Running]:
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "policy.yaml").write_text("maxDrop: 0.20\n", encoding="utf-8")
    running = Running(home, layer, ledger)
    yield running
    running.process.kill()
    running.process.wait()
    running.said.close()


def test_a_changed_policy_is_taken_over(running: Running, tmp_path: Path, home: Path) -> None:
    """Without a restart: a new policy is in force, a faulty one changes nothing and is told, till it is mended."""
    policy = tmp_path / "layer" / "policy.yaml"
    threshold, first = running.threshold()
    assert threshold == 0.2

    policy.write_text("maxDrop: 0.10\n", encoding="utf-8")
    threshold, second = until(lambda: (found := running.threshold())[1] != first and found)
    assert threshold == 0.1

    policy.write_text("maxDrop: 0.10\nmaxDorp: 0.3\n", encoding="utf-8")
    status, body = until(lambda: (found := running.ready())[1]["faults"] and found)
    assert (status, body["status"]) == (200, "ok")
    assert f"{second} stays in force" in body["faults"]["colony-policy"]
    assert "maxDorp" in body["faults"]["colony-policy"]
    assert running.threshold() == (0.1, second)

    policy.write_text("maxDrop: 0.20\n", encoding="utf-8")
    until(lambda: not running.ready()[1]["faults"])
    assert running.threshold() == (0.2, first)

    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(60) == 0
    said = (home / "said").read_text(encoding="utf-8")
    assert ("policy refused" in said, said.count("policy taken over")) == (True, 2)

"""A data directory with the demo's features and version 1 in production: made once, copied for each test."""

import atexit
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.story.one_process import OneProcess

ROOT = Path(__file__).parents[2]
DATA = ROOT / "deploy" / "demo"
IMPORTS = {
    "user_features": ("user", "user_id", "created", None),
    "content_features": ("content", "content_id", "created", None),
    "messages": ("content", "content_id", "event_timestamp", "label,user_id"),
}


@dataclass
class Colony:
    """The command line on one data directory."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """Return the environment of every command: nothing of Google's, nothing of the caller's own settings."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("COLONY_", "GOOGLE_", "PIPELINE_", "PUBSUB_"))}
        return {**kept, "COLONY_HOME": str(self.home), **self.environment}

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command and return its process."""
        command = [sys.executable, "-m", "worker", *words]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        return subprocess.Popen(command, env=self.variables(), cwd=ROOT, **options)

    def run(self, *words: str, stdin: str | None = None, code: int = 0) -> str:
        """Run a command to its end, check its exit code, and return its standard output."""
        process = _process()
        found, out = process.attempt(*words, environment=self.variables(), stdin=stdin)
        assert found == code, f"{' '.join(words)}: exit {found}\n{out}\n{process.said()}"
        return out

    def refusal(self, *words: str, code: int = 2) -> str:
        """Run a command that ends with that exit code, and return what it says of that."""
        self.run(*words, code=code)
        return _process().complained()

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """Run a command with --json and return its objects."""
        return [json.loads(line) for line in self.run(*words, "--json").splitlines()]


@cache
def _process() -> OneProcess:
    """Return the process that runs this session's commands, one after the other: a new one for each takes a second."""
    folder = Path(tempfile.mkdtemp(prefix="colony-story-"))
    process = OneProcess(os.environ, folder / "log.txt")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(process.__exit__)
    return process


@pytest.fixture(scope="session")
def bootstrapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data directory in which the bee spam-guard has its first champion, trained on July 2002.

    Whichever of pytest's processes comes first makes it for all.
    """
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    home, ready = root / "bootstrapped", root / "bootstrapped.ready"
    with (root / "bootstrapped.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            shutil.rmtree(home, ignore_errors=True)
            _bootstrap(Colony(home))
            ready.touch()
    return home


def _bootstrap(colony: Colony) -> None:
    colony.run("features", "define")
    for name, (entity, entity_id, known_at, columns) in IMPORTS.items():
        where = ("--entity", entity, "--entity-id", entity_id, "--event-time", "event_timestamp")
        only = ("--columns", columns) if columns else ()
        colony.run("features", "import", str(DATA / f"{name}.csv.gz"), *where, "--known-at", known_at, *only)
    colony.run("trigger", "auto-retrain", "--bee", "spam-guard", "--as-of", "2002-08-01", "--wait")


@pytest.fixture
def colony(bootstrapped: Path, tmp_path: Path) -> Colony:
    """Return the command line on a copy of the bootstrapped directory."""
    home = tmp_path / "home"
    shutil.copytree(bootstrapped, home)
    return Colony(home)


def evaluation(identity: str, evaluated_at: str, f1: float | None, **more: Any) -> dict[str, Any]:
    """Return a CloudEvent with an evaluation of spam-guard's version 1."""
    data = {
        "beeId": "spam-guard",
        "modelVersion": "1",
        "evaluatedAt": evaluated_at,
        "metrics": {"f1": f1},
        "window": {"id": evaluated_at[:10], "sampleCount": 437, "positiveCount": 47},
    }
    return {
        "specversion": "1.0",
        "id": identity,
        "source": "//test/monitor",
        "type": "model.evaluated",
        "data": {**data, **more},
    }

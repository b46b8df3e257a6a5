"""Runs `colony` as a reader would: a process of its own, in a directory of its own."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from tests.worker import world
from worker.adapters.ledger.sql import SqlLedger
from worker.cli import root

Colony = Callable[..., subprocess.CompletedProcess[str]]
Here = Callable[..., tuple[int, str, str]]
_OURS = ("COLONY_", "GOOGLE_", "FEATURE_STORE_", "PIPELINE_", "PUBSUB_")


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture(name="colony")
def _colony(home: Path, tmp_path: Path) -> Colony:
    """Return a function that runs a command and gives its end; `code` is the exit code that is expected."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}

    def run(*arguments: str, code: int = 0, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "worker", *arguments],
            cwd=tmp_path,
            env={**clean, "COLONY_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[3]), **variables},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture(name="here")
def _here(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Here]:
    """Return a function that runs a command in this process, where a new one for each would take minutes."""
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLONY_HOME", str(home))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["colony", *arguments])
        capsys.readouterr()
        code = root.run()
        output, errors = capsys.readouterr()
        return code, output, errors

    handler = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, handler)
    # A command that lasts has begun to listen for it: this process must not end by that.
    signal.set_wakeup_fd(-1)
    # The command has sent the logs to this test's standard error.
    structlog.reset_defaults()
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)


@pytest.fixture(name="ledger")
def _ledger(home: Path) -> Iterator[SqlLedger]:
    """Give the ledger of the home directory, with version 1 of spam-guard in production."""
    home.mkdir()
    ledger = world.new_ledger(home)
    world.put_into_production(ledger)
    yield ledger
    ledger.close()

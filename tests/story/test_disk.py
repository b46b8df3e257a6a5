"""A full or read-only disk: a clear error, and once the cause is gone the work goes on."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.story.conftest import Colony, evaluation

LINE = json.dumps(evaluation("drift", "2002-10-01T00:00:00Z", 0.45)) + "\n"


def test_a_full_disk_is_told_and_survived(bootstrapped: Path, small_disk: Callable[[str], Path]) -> None:
    """With no room left nothing is half done and the error says so; with room again the same event is one run."""
    disk = small_disk("size=80m")
    home = disk / "home"
    shutil.copytree(bootstrapped, home)
    filler = disk / "filler"
    with filler.open("wb") as file:
        _fill(file)
    colony = Colony(home)

    full = subprocess.run(
        [*_replay(), "-"], env=colony.variables(), input=LINE, capture_output=True, text=True, check=False, timeout=100
    )
    filler.unlink()

    assert full.returncode == 3, full.stderr
    assert "full" in full.stderr or "No space left" in full.stderr, full.stderr
    colony.run("replay", "-", "--wait", stdin=LINE)
    assert [run["verdict"] for run in colony.rows("runs")] == ["deployed", "deployed"]


def test_a_read_only_directory_is_told_and_survived(bootstrapped: Path, small_disk: Callable[[str], Path]) -> None:
    """On a read-only file system every writing command says so and exits with 3; writable again, the work goes on."""
    disk = small_disk("size=80m")
    home = disk / "home"
    shutil.copytree(bootstrapped, home)
    colony = Colony(home)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    refused = [
        subprocess.run(
            [*command], env=colony.variables(), input=LINE, capture_output=True, text=True, check=False, timeout=100
        )
        for command in ([*_replay(), "-"], [*_replay()[:-1], "trigger", "auto-retrain", "--bee", "spam-guard"])
    ]
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)

    for done in refused:
        assert done.returncode == 3, done.stderr
        assert "read" in done.stderr.lower(), done.stderr
        assert "Traceback" not in done.stderr
    colony.run("replay", "-", "--wait", stdin=LINE)
    assert [run["verdict"] for run in colony.rows("runs")] == ["deployed", "deployed"]


def _replay() -> list[str]:
    import sys

    return [sys.executable, "-m", "worker", "replay"]


def _fill(file: object) -> None:
    block = b"\0" * 65536
    try:
        while True:
            file.write(block)  # type: ignore[attr-defined]
            file.flush()  # type: ignore[attr-defined]
    except OSError:
        # That is the point.
        return

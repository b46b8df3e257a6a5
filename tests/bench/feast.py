"""Feast as a peer: it lives in an environment of its own, for its pins are not ours; without it the rest runs on."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-bench" / "bin" / "python"
PEER = Path(__file__).parent / "peers" / "feast_peer.py"
NAME = "Feast 0.67"


def run(*arguments: str) -> dict[str, float] | None:
    """Return what `peers/feast_peer.py` measured, None if Feast is not installed (`make bench` installs it)."""
    if not PYTHON.exists():
        return None
    command = [str(PYTHON), "-W", "ignore", str(PEER), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        raise RuntimeError("Feast's own run failed")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found

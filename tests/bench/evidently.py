"""Evidently as a peer: it lives beside Feast in the environment of the benches; without it the rest runs on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-bench" / "bin" / "python"
PEER = Path(__file__).parent / "peers" / "evidently_peer.py"
NAME = "Evidently 0.7"


def run(*arguments: str) -> Any:
    """Return what `peers/evidently_peer.py` measured, None if Evidently is not installed (`make bench` installs it)."""
    if not PYTHON.exists() or subprocess.run([str(PYTHON), "-c", _THERE], check=False).returncode:
        return None
    command = [str(PYTHON), "-W", "ignore", str(PEER), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        raise RuntimeError("Evidently's own run failed")
    return json.loads(done.stdout.splitlines()[-1])


_THERE = "import importlib.util, sys; sys.exit(importlib.util.find_spec('evidently') is None)"

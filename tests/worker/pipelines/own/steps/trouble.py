"""A step type that does what its config says the first times, with a child of its own, and then writes a note."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.bee import Value
from worker.errors import TryLater
from worker.steps.files import write_json
from worker.steps.step import StepContext, StepType


class TroubleConfig(Value):
    """What to do.

    Attributes:
        kind: stall for ever, die by a signal, be away, or none.
        times: in how many attempts.
        name: keeps the attempts of one item apart from another's.
    """

    kind: str = "none"
    times: int = 1000
    name: str = "one"


def trouble(context: StepContext) -> None:
    """Do it."""
    attempts = context.output_dir / f"{context.config.name}.attempts"
    with attempts.open("a", encoding="utf-8") as file:
        file.write("x")
    if context.config.kind != "none" and len(attempts.read_text(encoding="utf-8")) <= context.config.times:
        _act(context.config.kind, context.output_dir / f"{context.config.name}.child")
    write_json(context.outputs["note"], {"text": f"{context.config.name} done"})


def _act(kind: str, child: Path) -> None:
    if kind == "stall":
        # Both in sessions of their own, as daemons are.
        code = "import os, time; os.setsid(); open(os.sys.argv[1], 'w').write(str(os.getpid())); time.sleep(3600)"
        subprocess.Popen([sys.executable, "-c", code, str(child)])
        time.sleep(3600)
    if kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    raise TryLater("the service is away")


def failed(context: StepContext, reason: str) -> Mapping[str, Any]:
    """Write the failure as the note."""
    write_json(context.outputs["note"], {"text": f"{context.config.name} failed: {reason}"})
    return {}


STEP = StepType("trouble", TroubleConfig, {}, {"note": "system.Artifact"}, trouble)

"""What-if over a recording, `colony replay --dry-run` as its own process, against msgspec parsing the same lines."""

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from tests.bench.events import body
from tests.bench.measure import Figure

BEES = 1000
COUNT = 1_000_000 if os.environ.get("COLONY_BENCH_LARGE") else 100_000
_RUN = """
import resource, sys
from pathlib import Path
from worker.cli.root import run
code = run()
# Not RUSAGE_SELF: that is never below the peak of the process that started this one.
(own,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line[:6] == "VmHWM:")
print(max(int(own), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss), file=sys.stderr)
sys.exit(code)
"""


def bench(directory: Path, *, count: int = COUNT) -> list[Figure]:
    """Return microseconds per event, and the peak of memory beside that for a tenth of the events."""
    recording, tenth = directory / "recording.jsonl", directory / "tenth.jsonl"
    _write(recording, count)
    _write(tenth, count // 10)
    start = time.perf_counter()
    peak = _replay(recording, directory)
    took = time.perf_counter() - start
    before = _replay(tenth, directory)
    each = 1e6 / count
    work = f"what-if over {count:,} events of {BEES:,} bees"
    return [
        Figure(f"{work}, whole command", took * each, _parsed(recording) * each, "µs", "msgspec parsing the lines"),
        Figure(f"{work}, peak memory", peak / 1024, before / 1024, "MB", "the same for a tenth of the events"),
    ]


def _write(path: Path, count: int) -> None:
    with path.open("wb") as file:
        for number in range(count):
            bee = b"bee-%d" % (number % BEES)
            line = body(number).replace(b"spam-guard", bee)
            file.write((line if number % 97 else line.replace(b'"f1": 0.901', b'"f1": 0.601')) + b"\n")


def _replay(recording: Path, directory: Path) -> int:
    """Run the command and return its peak memory in KB."""
    command = [sys.executable, "-c", _RUN, "replay", str(recording), "--dry-run", "--trust-versions"]
    environment = {**os.environ, "COLONY_HOME": str(directory / "home")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(done.stderr.split()[-1])


def _parsed(recording: Path) -> float:
    start = time.perf_counter()
    with recording.open("rb") as file:
        for line in file:
            msgspec.json.decode(line)
    return time.perf_counter() - start

"""Drift of a million rows and fifty features, against Evidently, and against numpy cutting the same columns up."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.bench import evidently
from tests.bench.measure import Figure
from tests.bench.peers.monitor_data import column

ROWS, FEATURES = 1_000_000, 50


def bench(_: Path, *, rows: int = ROWS, features: int = FEATURES) -> list[Figure]:
    """Return seconds for all features, and peaks of memory beside Evidently's and that for a tenth of the features."""
    ours, bare = _alone("ours", rows, features), _alone("numpy", rows, features)
    few = _alone("ours", rows, features // 10)
    profiles = _alone("profiles", rows, features)
    peer = evidently.run("drift", str(rows), str(features))
    seconds, busy, peak = (None,) * 3 if peer is None else (peer[name] for name in ("seconds", "cpu_s", "peak_mb"))
    work = f"drift of {rows:,} rows x {features} features against as many"
    return [
        Figure(work, ours["seconds"], seconds, "s", f"{evidently.NAME}: PSI, Jensen–Shannon, KS, a report per column"),
        Figure(
            f"{work}, processor", ours["cpu_s"], busy, "s", f"{evidently.NAME}; a busy machine changes nothing here"
        ),
        Figure(f"{work}, peak memory", ours["peak_mb"], peak, "MB", f"{evidently.NAME}, a report per column"),
        Figure(work, ours["seconds"], bare["seconds"], "s", "numpy.histogram of both sides"),
        Figure(f"{work}, peak memory", ours["peak_mb"], few["peak_mb"], "MB", "the same for a tenth of the features"),
        Figure(f"profiles of {rows:,} rows x {features}", profiles["seconds"], bare["seconds"], "s", "numpy.histogram"),
        Figure("a feature's profile", profiles["bytes"] / 1024, rows * 8 / 1024, "KB", "its numbers as doubles"),
    ]


def _alone(kind: str, rows: int, features: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.monitor", kind, str(rows), str(features)]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(kind: str, rows: int, features: int) -> None:
    """Measure one kind in this process; making the columns, one at a time, is not counted."""
    work = {"ours": _ours, "numpy": _numpy, "profiles": _profiles}[kind]()
    took, busy, longest = 0.0, 0.0, 0
    for number in range(features):
        sides = [column(number, rows, side) for side in (0, 1)]
        start, worked = time.perf_counter(), time.process_time()
        found = work(*sides)
        took, busy = took + time.perf_counter() - start, busy + time.process_time() - worked
        longest = max(longest, len(found) if isinstance(found, bytes) else 0)
    # Not getrusage: its peak is that of whoever started this process, where that was higher.
    (peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line[:6] == "VmHWM:")
    print(json.dumps({"seconds": took, "cpu_s": busy, "peak_mb": int(peak) / 1024, "bytes": longest}))


def _ours() -> Callable[..., object]:
    from worker.bee import DriftSpec
    from worker.features.columns import Column
    from worker.monitor.column import summed_up
    from worker.monitor.drift import compare_column

    spec, small = DriftSpec(), np.arange(200.0)

    def work(*sides: np.ndarray) -> object:
        summaries = [summed_up(Column("number", side, ~np.isnan(side))) for side in sides]
        return compare_column("feature", summaries[0], summaries[1], spec)

    work(small, small)  # imports what it needs
    return work


def _profiles() -> Callable[..., object]:
    from datetime import UTC, datetime

    from worker.features.columns import Column
    from worker.monitor.column import Side, summed_up
    from worker.monitor.period import Period
    from worker.monitor.profile import encoded
    from worker.monitor.sketch import profile_of

    start = datetime(2026, 1, 1, tzinfo=UTC)
    period, small = Period(start, start), np.arange(200.0)

    def work(_: np.ndarray, window: np.ndarray) -> object:
        summary = summed_up(Column("number", window, ~np.isnan(window)))
        return encoded(profile_of("feature", "number", period, Side(summary, len(window), len(window))))

    work(small, small)  # imports what it needs
    return work


def _numpy() -> Callable[..., object]:
    return lambda *sides: [np.histogram(side[~np.isnan(side)], 10) for side in sides]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

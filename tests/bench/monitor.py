"""Drift of a million rows and fifty features, against numpy cutting the same columns into histograms."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.bench.measure import Figure

ROWS, FEATURES = 1_000_000, 50
REFERENCE = 1_000_000


def bench(_: Path, *, rows: int = ROWS, features: int = FEATURES) -> list[Figure]:
    """Return seconds for all features, and the peak of memory beside that for a tenth of the features."""
    ours, peer = _alone("ours", rows, features), _alone("numpy", rows, features)
    few = _alone("ours", rows, features // 10)
    work = f"drift of {rows:,} rows x {features} features against as many"
    return [
        Figure(work, ours["seconds"], peer["seconds"], "s", "numpy.histogram of both sides"),
        Figure(f"{work}, peak memory", ours["peak_mb"], few["peak_mb"], "MB", "the same for a tenth of the features"),
    ]


def _alone(kind: str, rows: int, features: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.monitor", kind, str(rows), str(features)]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(kind: str, rows: int, features: int) -> None:
    """Measure one kind in this process; making the columns, one at a time, is not counted."""
    work = {"ours": _ours, "numpy": _numpy}[kind]()
    took = 0.0
    for number in range(features):
        generator = np.random.default_rng(number)
        sides = [_column(generator, number, size) for size in (REFERENCE, rows)]
        start = time.perf_counter()
        work(*sides)
        took += time.perf_counter() - start
    # Not getrusage: its peak is that of whoever started this process, where that was higher.
    (peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line[:6] == "VmHWM:")
    print(json.dumps({"seconds": took, "peak_mb": int(peak) / 1024}))


def _column(generator: np.random.Generator, number: int, rows: int) -> np.ndarray:
    """Return what features look like: continuous, skewed, whole numbers, mostly 0; two in a hundred missing."""
    made = [
        lambda: generator.normal(size=rows),
        lambda: generator.lognormal(size=rows),
        lambda: generator.integers(0, 1000, rows).astype(np.float64),
        lambda: np.where(generator.random(rows) < 0.7, 0.0, generator.random(rows)),
    ][number % 4]()
    made[generator.random(rows) < 0.02] = np.nan
    return made


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


def _numpy() -> Callable[..., object]:
    return lambda *sides: [np.histogram(side[~np.isnan(side)], 10) for side in sides]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

"""The point-in-time join in memory, against a bare numpy searchsorted that looks at event time only."""

from pathlib import Path

import numpy as np

from tests.bench.measure import Figure, median_s
from worker.features.join import Log, join

VALUES, ROWS, ENTITIES = 1_000_000, 100_000, 50_000


def bench(_: Path) -> list[Figure]:
    """Return milliseconds for a spine of 1e5 rows on a log of 1e6 values."""
    random = np.random.default_rng(1)
    entity = random.integers(0, ENTITIES, VALUES)
    event = random.integers(0, 10**9, VALUES)
    known = event + random.integers(0, 10**6, VALUES)
    log = Log.sorting(entity, event, known, np.arange(VALUES), list(range(VALUES)))
    rows, times = random.integers(0, ENTITIES, ROWS), random.integers(0, 10**9, ROWS)
    key, asked = log.entity * 10**10 + log.event, rows * 10**10 + times
    ours = median_s(lambda: join(log, rows, times, ttl_us=None), repeats=5)
    peer = median_s(lambda: np.searchsorted(key, asked, side="right"), repeats=5)
    work = "point-in-time join, 1e6 values, 1e5 rows"
    return [Figure(work, ours * 1e3, peer * 1e3, "ms", "numpy searchsorted, event time only")]

"""Training reads in a process of their own, as a command would make them; prints one JSON object.

python -m tests.bench.offline_read ours STORE DATA     our store: from storage, with the snapshot kept
python -m tests.bench.offline_read numpy ARRAYS DATA   numpy searchsorted over memory-mapped sorted arrays
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.offline_data import FIRST_US, NAMES

REPEATS = 5
_TIME_BITS = 46
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def main(kind: str, where: str, data: str) -> None:
    """Read once with everything closed, then a few times more."""
    read, opened = {"ours": _ours, "numpy": _numpy}[kind](Path(where), Path(data))
    took, present = [], 0
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        present = read()
        took.append(time.perf_counter() - start)
    opened()
    # Not getrusage: its peak is that of whoever started this process, where that was higher.
    (peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line[:6] == "VmHWM:")
    warm = sorted(took[1:])[len(took[1:]) // 2]
    print(json.dumps({"first_s": took[0], "seconds": warm, "present": present, "peak_mb": int(peak) / 1024}))


def _ours(where: Path, data: Path) -> tuple[Callable[[], int], Callable[[], None]]:
    from worker.adapters.features.local import LocalFeatureStore
    from worker.features.port import TrainingRequest
    from worker.features.tables import read_spine

    spine = read_spine(data / "spine.parquet", "entity", "event_timestamp")
    store = LocalFeatureStore(where, lambda: _NOW)

    def read() -> int:
        _, table = store.training_table(TrainingRequest("thing", tuple(NAMES), {}, spine))
        return sum(int(column.valid.sum()) for column in table.columns.values())

    return read, store.close


def _numpy(where: Path, data: Path) -> tuple[Callable[[], int], Callable[[], None]]:
    """Return the least that can be done: ids are codes already, one sorted key, steps back where not known yet."""
    from pyarrow import compute as pc
    from pyarrow import parquet

    spine = parquet.read_table(data / "spine.parquet")
    codes = pc.cast(pc.utf8_slice_codeunits(spine.column("entity"), 7), "int64").to_numpy()
    times = spine.column("event_timestamp").cast("int64").to_numpy()
    asked = (codes << _TIME_BITS) | (times - FIRST_US)

    def one(name: str) -> Any:
        key, known, value = (np.load(where / f"{name}.{part}.npy", mmap_mode="r") for part in ("key", "known", "value"))
        index = np.searchsorted(key, asked, side="right") - 1
        rows = np.arange(len(asked))
        while len(rows):
            inside = (index[rows] >= 0) & (key[np.maximum(index[rows], 0)] >> _TIME_BITS == codes[rows])
            index[rows[~inside]] = -1
            rows = rows[inside]
            rows = rows[known[index[rows]] > times[rows]]
            index[rows] -= 1
        return np.where(index >= 0, value[index], np.nan)

    return lambda: sum(int((~np.isnan(one(name))).sum()) for name in NAMES), lambda: None


def write_arrays(where: Path, data: Path) -> None:
    """Write what the numpy peer maps: of each feature a key of entity and time in order, known-at and value."""
    from pyarrow import compute as pc
    from pyarrow import parquet

    where.mkdir(parents=True)
    for name in NAMES:
        table = parquet.read_table(data / f"{name}.parquet")
        codes = pc.cast(pc.utf8_slice_codeunits(table.column("entity"), 7), "int64").to_numpy()
        key = (codes << _TIME_BITS) | (table.column("event_timestamp").cast("int64").to_numpy() - FIRST_US)
        known = table.column("created").cast("int64").to_numpy()
        order = np.lexsort((known, key))
        for part, column in (("key", key), ("known", known), ("value", table.column(name).to_numpy())):
            np.save(where / f"{name}.{part}.npy", column[order])


if __name__ == "__main__":
    main(*sys.argv[1:])

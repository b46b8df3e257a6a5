"""The feature store's offline half: training reads from storage and bulk imports, against numpy, SQLite and Feast.

Each read runs in a process of its own. `COLONY_BENCH_LARGE=1` adds the log of 1e7 values. The sweep writes
`build/bench/training_read.svg`.
"""

import json
import os
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tests.bench import feast, offline_data, offline_read
from tests.bench.measure import Figure, median_s
from tests.bench.offline_data import NAMES, Size
from worker.adapters.features.local import LocalFeatureStore
from worker.features.bulk import Batch, Cells
from worker.features.columns import Column
from worker.features.importing import ImportReport, ImportSpec, import_file
from worker.features.port import Definition, TrainingRequest
from worker.features.spine import Spine

ROOT = Path(__file__).parents[2]
PLOT = ROOT / "build" / "bench" / "training_read.svg"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SMALL = Size(1_000_000, 100_000, 50_000)
LARGE = Size(10_000_000, 1_000_000, 100_000)
LARGE_FEW = Size(10_000_000, 10_000, 100_000)
#: Values of other entities while a spine of 1,000 rows over 1,000 entities stays the same.
SWEEP = (100_000, 300_000, 1_000_000, 3_000_000)
_NUMPY = "numpy over mapped arrays"


def bench(directory: Path) -> list[Figure]:
    """Return seconds of reads and microseconds per imported value."""
    figures = _import_csv(directory)
    figures += _size(directory / "small", SMALL, "1e6 values, 1e5 × 9")
    if os.environ.get("COLONY_BENCH_LARGE"):
        figures += _size(directory / "large", LARGE, "1e7 values, 1e6 × 9")
        figures += _few_rows(directory)
    return figures + _sweep(directory / "sweep")


def _size(directory: Path, size: Size, told: str) -> list[Figure]:
    data, store, arrays = directory / "data", directory / "store", directory / "arrays"
    offline_data.write(data, size)
    took = _import_parquet(store, data)
    offline_read.write_arrays(arrays, data)
    bare = _bare_insert_us(directory)
    first = Figure(f"import of Parquet, per value, {told}", took * 1e6 / size.values, bare, "µs", "bare sqlite3 INSERT")
    return [first, *_reads(store, arrays, data, told)]


def _few_rows(directory: Path) -> list[Figure]:
    """Read a spine of 1e4 rows from the large log."""
    large, few = directory / "large", directory / "few"
    offline_data.write(few, Size(9, LARGE_FEW.rows, LARGE_FEW.entities))
    spine = few / "spine.parquet"
    (large / "data" / "spine.parquet").write_bytes(spine.read_bytes())
    return _reads(large / "store", large / "arrays", large / "data", "1e7 values, 1e4 × 9")


def _reads(store: Path, arrays: Path, data: Path, told: str) -> list[Figure]:
    ours, numpy_ = _child("ours", store, data), _child("numpy", arrays, data)
    if ours["present"] != numpy_["present"]:
        raise RuntimeError(f"the answers differ: {ours['present']} and {numpy_['present']} values")
    peer = feast.run("pit", str(data), "duckdb") or {}
    return [
        Figure(f"training read, {told}, again", ours["seconds"], numpy_["seconds"], "s", _NUMPY),
        Figure(f"training read, {told}, first of a process", ours["first_s"], numpy_["first_s"], "s", _NUMPY),
        Figure(f"training read, {told}, first of a process", ours["first_s"], peer.get("seconds"), "s", feast.NAME),
        Figure(f"its peak memory, {told}", ours["peak_mb"], peer.get("peak_mb"), "MB", feast.NAME),
    ]


def _child(kind: str, where: Path, data: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.offline_read", kind, str(where), str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _open(directory: Path) -> LocalFeatureStore:
    store = LocalFeatureStore(directory, lambda: NOW)
    for name in NAMES:
        store.define(Definition(name, "thing", "number"))
    return store


def _import(store: LocalFeatureStore, path: Path, spec: ImportSpec) -> ImportReport:
    rejects = path.with_suffix(".rejects")
    return import_file(store, path, spec, define=False, progress=lambda _: None, rejects=rejects)


def _import_parquet(directory: Path, data: Path) -> float:
    """Return the seconds that importing all files takes, tidying up included."""
    store = _open(directory)
    start = time.perf_counter()
    for name in NAMES:
        spec = ImportSpec("thing", "entity", "event_timestamp", "created", (name,))
        _import(store, data / f"{name}.parquet", spec)
    took = time.perf_counter() - start
    store.care.compact()
    store.close()
    return took


def _import_csv(directory: Path, rows: int = 100_000) -> list[Figure]:
    """Import rows of nine values, and the same again."""
    path = directory / "wide.csv"
    draw = np.random.default_rng(3)
    with path.open("w") as stream:
        stream.write(f"entity,event_time,{','.join(NAMES)}\n")
        times = np.datetime_as_string((draw.integers(0, 10**8, rows) + 1_500_000_000).astype("datetime64[s]")).tolist()
        for number, (moment, values) in enumerate(zip(times, draw.random((rows, 9)).round(6).tolist(), strict=True)):
            stream.write(f"entity-{number % 50_000:08d},{moment}Z,{','.join(map(str, values))}\n")
    store = _open(directory / "csv")
    spec = ImportSpec("thing", "entity", "event_time", "event_time")
    figures, bare = [], _bare_insert_us(directory)
    for told in ("import of CSV, 9 values a row, per value", "the same again, nothing new, per value"):
        start = time.perf_counter()
        _import(store, path, spec)
        took = (time.perf_counter() - start) * 1e6 / (rows * 9)
        figures.append(Figure(told, took, bare, "µs", "bare sqlite3 INSERT"))
    store.close()
    return figures


def _bare_insert_us(directory: Path, rows: int = 200_000) -> float:
    """Return microseconds per value of one big transaction of a bare table with a primary key, nothing checked."""
    path = directory / "bare.sqlite"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE v (f, e, t, k, value, PRIMARY KEY (f, e, t, k)) WITHOUT ROWID")
    values = [(number % 9, number % 50_011, number * 7919 % 10**9, number, 0.5) for number in range(rows)]
    start = time.perf_counter()
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO v VALUES (?, ?, ?, ?, ?)", values)
    connection.execute("COMMIT")
    took = time.perf_counter() - start
    connection.close()
    return took * 1e6 / rows


def _sweep(directory: Path) -> list[Figure]:
    """Read the same rows of the same entities while the history of others grows; write the plot."""
    store = _open(directory)
    draw = np.random.default_rng(5)
    _add(store, draw, 20_000, 0, 1000)
    rows = offline_data.id_of(draw.integers(0, 1000, 1000))
    spine = Spine.of(rows, offline_data.FIRST_US + draw.integers(0, offline_data.YEAR_US, 1000))
    request = TrainingRequest("thing", tuple(NAMES), {}, spine)
    points, done = [], 0
    for values in SWEEP:
        _add(store, draw, values - done, 1000, 1000 + values // 20)
        done = values
        store.care.compact()
        store.training_table(request)
        points.append((values, median_s(lambda: store.training_table(request), repeats=31) * 1e3))
    store.close()
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    PLOT.write_text(_svg(points))
    told = f"1e3 × 9 rows, others' history {SWEEP[-1]:.0e} for {SWEEP[0]:.0e}".replace("e+0", "e")
    return [Figure(f"training read, {told}", points[-1][1], points[0][1], "ms", f"the same at {SWEEP[0]:.0e}")]


def _add(store: LocalFeatureStore, draw: np.random.Generator, values: int, low: int, high: int) -> None:
    """Write values of entities in [low, high)."""
    for first in range(0, values, 200_000):
        count = min(200_000, values - first) // len(NAMES)
        event = offline_data.FIRST_US + draw.integers(0, offline_data.YEAR_US, count)
        ids = offline_data.id_of(draw.integers(low, high, count))
        present = np.ones(count, np.bool_)
        columns = {name: Cells(Column("number", draw.random(count), present), present) for name in NAMES}
        store.write_columns("thing", Batch(Spine.of(ids, event), event, columns))


def _svg(points: list[tuple[int, float]]) -> str:
    """Return the sweep as a plot: values of others along a logarithmic axis, milliseconds upwards from zero."""
    width, height, edge = 640, 360, 56
    top = max(took for _, took in points) * 1.25
    low, high = np.log10(points[0][0]), np.log10(points[-1][0])

    def place(values: float, took: float) -> tuple[float, float]:
        x = edge + (np.log10(values) - low) / (high - low) * (width - 2 * edge)
        return round(x, 1), round(height - edge - took / top * (height - 2 * edge), 1)

    spots = [place(*point) for point in points]
    marks = "".join(
        f'<circle cx="{x}" cy="{y}" r="4" fill="#1f6feb"/>'
        f'<text x="{x}" y="{y - 10}" text-anchor="middle">{took:.1f} ms</text>'
        f'<text x="{x}" y="{height - edge + 20}" text-anchor="middle">{values:,}</text>'
        for (x, y), (values, took) in zip(spots, points, strict=True)
    )
    line = " ".join(f"{x},{y}" for x, y in spots)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        f' font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="{width / 2}" y="24" text-anchor="middle" font-size="14">Training read of 1,000 rows × 9 features'
        f'</text><text x="{width / 2}" y="{height - 8}" text-anchor="middle">values of other entities in the store'
        f'</text><path d="M{edge},{edge} V{height - edge} H{width - edge}" fill="none" stroke="#888"/>'
        f'<polyline points="{line}" fill="none" stroke="#1f6feb" stroke-width="2"/>{marks}</svg>\n'
    )

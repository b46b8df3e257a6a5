"""Windows of computed features, online and point-in-time, against the same aggregate in bare SQLite and in numpy."""

import random
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from tests.bench.measure import Figure, median_s
from worker.adapters.features.local import LocalFeatureStore
from worker.clock import to_us
from worker.features.port import Definition, TrainingRequest, Write

ENTITIES, VALUES, ROWS, READS = 1_000, 200, 100_000, 200
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
#: Half of the values that each entity has.
WINDOW = f"{VALUES // 2}h"
_BARE = "SELECT avg(value) FROM entry WHERE id = ? AND at > ? AND at <= ?"


def bench(directory: Path) -> list[Figure]:
    """Return microseconds of an online read, and seconds of a training read."""
    store, bare = _filled(directory / "ours"), _bare(directory / "bare.sqlite")
    figures = [*_online(store, bare), _training(store)]
    store.close()
    return figures


def _filled(directory: Path) -> LocalFeatureStore:
    store = LocalFeatureStore(directory, lambda: NOW)
    store.define(Definition("engagement", "user", "number"))
    computation = f"mean(engagement over {WINDOW})"
    store.define(Definition("recent", "user", "number", source="computed", computation=computation))
    for one in range(ENTITIES):
        times = [NOW - HOUR * age for age in range(VALUES)]
        store.write([Write(f"u{one}", "engagement", one + age / 8, at, at) for age, at in enumerate(times)])
    return store


def _bare(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE entry (id TEXT, at INTEGER, value REAL, PRIMARY KEY (id, at)) WITHOUT ROWID")
    connection.execute("BEGIN")
    rows = ((f"u{one}", to_us(NOW - HOUR * age), one + age / 8) for one in range(ENTITIES) for age in range(VALUES))
    connection.executemany("INSERT INTO entry VALUES (?, ?, ?)", rows)
    connection.execute("COMMIT")
    return connection


def _online(store: LocalFeatureStore, bare: sqlite3.Connection) -> list[Figure]:
    since, until = to_us(NOW - HOUR * (VALUES // 2)), to_us(NOW)
    figures = []
    for count in (1, 100):
        chosen = [random.Random(number).sample(range(ENTITIES), count) for number in range(READS)]
        ours = _each(lambda ids: store.read([f"u{one}" for one in ids], ["recent"], now=NOW), chosen)
        peer = _each(lambda ids: [bare.execute(_BARE, (f"u{one}", since, until)).fetchone() for one in ids], chosen)
        work = f"computed: mean over {VALUES // 2} values, online, {count} entities, p50"
        figures.append(Figure(work, ours, peer, "us", "bare sqlite3, avg() per entity"))
    return figures


def _each(read: Callable[[list[int]], object], chosen: list[list[int]]) -> float:
    """Return the median microseconds of one read."""
    turns = iter(chosen)
    return median_s(lambda: read(next(turns)), repeats=len(chosen)) * 1e6


def _training(store: LocalFeatureStore) -> Figure:
    draw = random.Random(1)
    rows = [(draw.randrange(ENTITIES), NOW - HOUR * draw.randrange(VALUES)) for _ in range(ROWS)]
    request = TrainingRequest("user", ("recent",), spine=tuple((f"u{one}", at) for one, at in rows))
    ours = median_s(lambda: store.training_read(request), repeats=3)
    entity, time = np.array([one for one, _ in rows]), np.array([to_us(at) for _, at in rows])
    ages = np.arange(VALUES)[::-1]
    event = np.tile(to_us(NOW) - ages * (HOUR // timedelta(microseconds=1)), (ENTITIES, 1))
    value = np.arange(ENTITIES)[:, None] + ages / 8
    peer = median_s(lambda: _running_sums(event, value, entity, time), repeats=3)
    work = f"computed: mean over {VALUES // 2} values, training, {ROWS:,} rows"
    return Figure(work, ours, peer, "s", "numpy, differences of running sums in memory (inexact)")


def _running_sums(event: np.ndarray, value: np.ndarray, entity: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return the mean of each row's window, as fast as arrays can; nothing is late or corrected."""
    sums = np.zeros((len(event), event.shape[1] + 1))
    np.cumsum(value, axis=1, out=sums[:, 1:])
    # The times are the same for all entities here.
    high = np.searchsorted(event[0], time, side="right")
    low = np.searchsorted(event[0], time - VALUES // 2 * 3_600_000_000, side="right")
    return (sums[entity, high] - sums[entity, low]) / (high - low)

"""The feature store's online half: reads of packed rows and durable single writes, against bare SQLite and Feast."""

import random
import sqlite3
import statistics
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.bench import feast
from tests.bench.measure import Figure
from worker.adapters.features.local import LocalFeatureStore
from worker.features.port import Definition, Write

ENTITIES, ROUNDS, WRITERS, WRITES = 100_000, 5, 16, 1_600
NAMES = [f"f{number}" for number in range(9)]
AT = datetime(2026, 1, 1, tzinfo=UTC)
_ROW = struct.Struct("<9d9q")
_BARE_ROW = "bare sqlite3, one packed row"
_Read = Callable[[Any], object]


def bench(directory: Path) -> list[Figure]:
    """Return microseconds: of reads at p50, with a writer beside at p99, and of durable writes."""
    store, bare = _filled(directory / "ours"), _bare(directory / "bare.sqlite")
    figures = [*_reads(store, bare), *_beside_a_writer(store, directory / "ours"), *_writes(store, directory)]
    store.close()
    return figures + _against_feast(figures)


def _filled(directory: Path) -> LocalFeatureStore:
    store = LocalFeatureStore(directory, lambda: datetime.now(tz=UTC))
    for name in NAMES:
        store.define(Definition(name, "thing", "number"))
    for first in range(0, ENTITIES, 2000):
        ids = range(first, first + 2000)
        store.write([Write(f"e{one}", name, one + 0.5, AT, AT) for one in ids for name in NAMES])
    return store


def _bare(path: Path) -> sqlite3.Connection:
    """Return the least there can be: one row per entity, values and times as plain numbers."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE packed (id TEXT PRIMARY KEY, row BLOB) WITHOUT ROWID")
    connection.execute("BEGIN")
    rows = ((f"e{one}", _ROW.pack(*[one + 0.5] * 9, *[1] * 9)) for one in range(ENTITIES))
    connection.executemany("INSERT INTO packed VALUES (?, ?)", rows)
    connection.execute("COMMIT")
    return connection


def _reads(store: LocalFeatureStore, bare: sqlite3.Connection) -> list[Figure]:
    draw = random.Random(1)
    ids = [f"e{draw.randrange(ENTITIES)}" for _ in range(4000)]
    hundreds = [[f"e{draw.randrange(ENTITIES)}" for _ in range(100)] for _ in range(100)]
    many = f"SELECT id, row FROM packed WHERE id IN ({','.join('?' * 100)})"  # noqa: S608 - question marks

    def bare_one(one: str) -> object:
        row = bare.execute("SELECT row FROM packed WHERE id = ?", (one,)).fetchone()[0]
        return {one: dict(zip(NAMES, _ROW.unpack(row), strict=False))}

    def bare_many(ids: Sequence[str]) -> object:
        return {one: dict(zip(NAMES, _ROW.unpack(row), strict=False)) for one, row in bare.execute(many, ids)}

    one = _in_turns(ids, lambda one: store.read([one], NAMES, now=AT), bare_one)
    hundred = _in_turns(hundreds, lambda ids: store.read(ids, NAMES, now=AT), bare_many)
    return [
        Figure("online read, 9 features × 1 of 1e5 entities, p50", *one, "µs", _BARE_ROW),
        Figure("online read, 9 features × 100 entities, p50", *hundred, "µs", f"{_BARE_ROW} each"),
    ]


def _in_turns(items: Sequence[Any], ours: _Read, peer: _Read) -> tuple[float, float]:
    """Return the medians of both, each the least of some rounds, taken in turns."""
    found = [(_took_us(items, ours, 0.5), _took_us(items, peer, 0.5)) for _ in range(ROUNDS)]
    return min(one for one, _ in found), min(other for _, other in found)


def _took_us(items: Sequence[Any], work: _Read, quantile: float) -> float:
    took = []
    for item in items:
        start = time.perf_counter()
        work(item)
        took.append(time.perf_counter() - start)
    return sorted(took)[int(len(took) * quantile)] * 1e6


def _beside_a_writer(store: LocalFeatureStore, directory: Path) -> list[Figure]:
    draw = random.Random(2)
    ids = [f"e{draw.randrange(ENTITIES)}" for _ in range(10_000)]
    hundreds = [[f"e{draw.randrange(ENTITIES)}" for _ in range(100)] for _ in range(200)]

    def one() -> float:
        return _took_us(ids, lambda one: store.read([one], NAMES, now=AT), 0.99)

    def hundred() -> float:
        return _took_us(hundreds, lambda ids: store.read(ids, NAMES, now=AT), 0.99)

    other = directory.with_name("other")
    LocalFeatureStore(other, lambda: datetime.now(tz=UTC)).define(Definition("f1", "thing", "number"))
    runs: dict[str, list[tuple[float, float]]] = {"alone": [], "writer": [], "other": []}
    for _ in range(ROUNDS):
        runs["alone"].append((one(), hundred()))
        for name, where in (("writer", directory), ("other", other)):
            with _writer(where):
                runs[name].append((one(), hundred()))
    # The least disturbed round of each: with more to do than cores, the hundredth is the scheduler's.
    found = {name: tuple(map(min, zip(*run, strict=True))) for name, run in runs.items()}
    peers = (("alone", "the same without a writer"), ("other", "the same, the writer writes another file"))
    return [
        Figure(f"online read × {many} beside a writer, p99", found["writer"][number], found[name][number], "µs", peer)
        for number, many in enumerate((1, 100))
        for name, peer in peers
    ]


def _medians(runs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(one for one, _ in runs), statistics.median(other for _, other in runs)


@contextmanager
def _writer(directory: Path) -> Iterator[None]:
    """Run a process that writes single values, durably, one after the other."""
    program = (
        "import sys, random, pathlib, datetime as d; from worker.features.port import Write;"
        "from worker.adapters.features.local import LocalFeatureStore as S;"
        "now = lambda: d.datetime.now(d.UTC); store = S(pathlib.Path(sys.argv[1]), now); print(flush=True);\n"
        f"while True: store.write([Write(f'e{{random.randrange({ENTITIES})}}', 'f1', random.random(), now())])"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(directory)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.communicate()


def _writes(store: LocalFeatureStore, directory: Path) -> list[Figure]:
    """Return one durable write of one writer, and of sixteen that wait at the same time."""
    counter = iter(range(10**9))

    def ours() -> None:
        number = next(counter)
        moment = AT + timedelta(microseconds=number)
        store.write([Write(f"e{number * 7919 % ENTITIES}", "f1", float(number), moment, moment)])

    alone, grouped = [], []
    for number in range(ROUNDS):
        bare = _BareLog(directory / f"log-{number}.sqlite")
        alone.append((_each_us(ours, 1), _each_us(bare.append, 1)))
        grouped.append((_each_us(ours, WRITERS), _each_us(bare.append_together, WRITERS)))
        bare.close()
    one, sixteen = _medians(alone), _medians(grouped)
    return [
        Figure("durable write of one value, 1 writer", one[0], one[1], "µs", "bare sqlite3, WAL FULL, one INSERT"),
        Figure("durable write of one value, 16 writers", sixteen[0], sixteen[1], "µs", "bare group commit, as many"),
    ]


def _each_us(write: Callable[[], None], writers: int) -> float:
    """Return wall microseconds per write when so many threads write at once."""
    each = (WRITES if writers > 1 else 400) // writers

    def work() -> None:
        for _ in range(each):
            write()

    threads = [threading.Thread(target=work) for _ in range(writers)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.perf_counter() - start) / (each * writers) * 1e6


class _BareLog:
    """A table of values on SQLite WAL FULL, with the plainest group commit: one thread commits for all who wait."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE log (id TEXT, feature TEXT, value REAL, at INTEGER)")
        self._waiting: list[threading.Event] = []
        self._changed = threading.Condition()
        self._open = True
        self._committer = threading.Thread(target=self._commit, daemon=True)
        self._committer.start()

    def append(self) -> None:
        """Store one value in a transaction of its own."""
        self._connection.execute("INSERT INTO log VALUES ('e1', 'f1', 1.0, 1)")

    def append_together(self) -> None:
        """Store one value in the next common transaction."""
        done = threading.Event()
        with self._changed:
            self._waiting.append(done)
            self._changed.notify()
        done.wait()

    def _commit(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and self._open:
                    self._changed.wait()
                waiting, self._waiting = self._waiting, []
            if not waiting:
                return
            self._connection.execute("BEGIN IMMEDIATE")
            rows = [("e1", "f1", 1.0, 1)] * len(waiting)
            self._connection.executemany("INSERT INTO log VALUES (?, ?, ?, ?)", rows)
            self._connection.execute("COMMIT")
            for done in waiting:
                done.set()

    def close(self) -> None:
        """End the committer and close the file."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._committer.join()
        self._connection.close()


def _against_feast(figures: Sequence[Figure]) -> list[Figure]:
    """Return the same work once more, with Feast as the peer."""
    found = feast.run("online", str(ENTITIES)) or {}
    compared = zip(("one_us", "hundred_us", "write_us"), (figures[0], figures[1], figures[6]), strict=True)
    return [Figure(figure.work, figure.ours, found.get(name), "µs", feast.NAME) for name, figure in compared]

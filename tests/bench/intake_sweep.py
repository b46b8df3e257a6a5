"""Time per event and memory as history and bees grow: COLONY_BENCH_EVENTS=1000000 for the whole sweep."""

import os
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from config.schema import SHIPPED, load_bees
from handlers.events import event_handlers
from handlers.events.context import EventContext
from tests.bench.curve import write_curve
from tests.bench.events import body
from tests.bench.measure import Figure
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.decide.policy import Policy
from worker.heap import settle
from worker.intake.port import Message
from worker.intake.receive import receive
from worker.models.port import Artifact, Deployment, ModelVersion

EVENTS = int(os.environ.get("COLONY_BENCH_EVENTS", "50000"))
BEES = int(os.environ.get("COLONY_BENCH_BEES", "10000"))
_PEER = "the first tenth"
#: Where the curve is written, as CSV and SVG.
OUT = Path(os.environ.get("COLONY_BENCH_OUT", "build/bench"))
BATCH, PARTS = 500, 20
NOW = datetime(2003, 1, 1, tzinfo=UTC)


def bench(directory: Path) -> list[Figure]:
    """Return the time per event and the memory at the end of the history, against those of its first tenth."""
    spec, policy = load_bees([SHIPPED])["spam-guard"], Policy()
    bees = {f"bee-{number}": spec.model_copy(update={"bee": f"bee-{number}"}) for number in range(BEES)}
    ledger = SqlLedger(Database(f"sqlite:///{directory}/ledger.db"))
    handlers = event_handlers(EventContext(lambda: bees, lambda: policy, ledger.installation))
    _deploy(ledger, list(bees))
    # As the worker does when it has started.
    settle()
    wall, cpu, held = list[float](), list[float](), list[float]()
    for part in range(PARTS):
        spent = _Spent()
        for batch in _batches(part * EVENTS // PARTS, (part + 1) * EVENTS // PARTS):
            with spent:
                receive(batch, ledger, handlers, lambda _: NOW)
        wall.append(spent.wall / (EVENTS // PARTS) * 1e6)
        cpu.append(spent.cpu / (EVENTS // PARTS) * 1e6)
        held.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    ledger.close()
    at = [(part + 1) * EVENTS // PARTS for part in range(PARTS)]
    of = f"{EVENTS:,} events of {BEES:,} bees"
    write_curve(OUT / "intake_sweep", f"Intake of {of}", at, {"µs per event": wall, "CPU µs": cpu, "MB": held})
    print(f"the curve: {OUT}/intake_sweep.csv and .svg", file=sys.stderr)
    tenth = PARTS // 10
    return [
        Figure(f"intake of {of}, the last tenth: time", _mean(wall[-tenth:]), _mean(wall[:tenth]), "µs", _PEER),
        Figure(f"intake of {of}, the last tenth: CPU", _mean(cpu[-tenth:]), _mean(cpu[:tenth]), "µs", _PEER),
        Figure(f"intake of {of}, the end: peak memory", held[-1], held[tenth - 1], "MB", _PEER),
    ]


class _Spent:
    """Adds up the time inside its context, by the wall clock and of the processor."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def __enter__(self) -> None:
        self.wall -= time.perf_counter()
        self.cpu -= time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter()
        self.cpu += time.process_time()


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _batches(first: int, last: int) -> Iterator[list[Message]]:
    for start in range(first, last, BATCH):
        yield [
            Message(body(number).replace(b'"spam-guard"', b'"bee-%d"' % (number % BEES)))
            for number in range(start, min(start + BATCH, last))
        ]


def _deploy(ledger: SqlLedger, bees: list[str]) -> None:
    with ledger.begin() as transaction:
        for bee in bees:
            artifact = Artifact("file:///none", "0" * 64)
            transaction.models.add(ModelVersion(bee, "1", "deployed", artifact, None, NOW, gate_passed=True))
            transaction.models.deploy(Deployment(bee, 1, "1", None, NOW, "bench", None))

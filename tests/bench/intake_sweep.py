"""Time per event and memory as history and bees grow: COLONY_BENCH_EVENTS=1000000 for the whole sweep."""

import os
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from config.schema import SHIPPED, load_bees
from handlers.events import event_handlers
from handlers.events.context import EventContext
from tests.bench.events import body
from tests.bench.measure import Figure
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.decide.policy import Policy
from worker.intake.port import Message
from worker.intake.receive import receive
from worker.models.port import Artifact, Deployment, ModelVersion

EVENTS = int(os.environ.get("COLONY_BENCH_EVENTS", "50000"))
BEES = int(os.environ.get("COLONY_BENCH_BEES", "10000"))
BATCH, PARTS = 500, 5
NOW = datetime(2003, 1, 1, tzinfo=UTC)


def bench(directory: Path) -> list[Figure]:
    """Return the time per event and the memory in each fifth of the history, against those of the first."""
    spec, policy = load_bees([SHIPPED])["spam-guard"], Policy()
    bees = {f"bee-{number}": spec.model_copy(update={"bee": f"bee-{number}"}) for number in range(BEES)}
    ledger = SqlLedger(Database(f"sqlite:///{directory}/ledger.db"))
    handlers = event_handlers(EventContext(lambda: bees, lambda: policy, ledger.installation))
    _deploy(ledger, list(bees))
    found: list[Figure] = []
    took, held = [], []
    for part in range(PARTS):
        start = time.perf_counter()
        for batch in _batches(part * EVENTS // PARTS, (part + 1) * EVENTS // PARTS):
            receive(batch, ledger, handlers, lambda _: NOW)
        took.append((time.perf_counter() - start) / (EVENTS // PARTS) * 1e6)
        held.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        name = f"of {EVENTS:,} events of {BEES:,} bees, fifth {part + 1}"
        found += [
            Figure(f"intake {name}: time", took[-1], took[0], "µs", "the first fifth"),
            Figure(f"intake {name}: memory", held[-1], held[0], "MB", "the first fifth"),
        ]
    ledger.close()
    return found


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

"""Intake end to end on SQLite in batches, against a bare executemany of the same rows in the same transactions."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from config.schema import SHIPPED, load_bees
from handlers.events import event_handlers
from handlers.events.context import EventContext
from tests.bench.events import messages
from tests.bench.measure import Figure, median_s
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.decide.policy import Policy
from worker.intake.receive import receive
from worker.models.port import Artifact, Deployment, ModelVersion

BATCH = 500
BATCHES = 6


def bench(directory: Path) -> list[Figure]:
    """Return microseconds per event, in batches and alone."""
    now = datetime(2003, 1, 1, tzinfo=UTC)
    ledger = SqlLedger(Database(f"sqlite:///{directory}/ledger.db"))
    bees = load_bees([SHIPPED])
    handlers = event_handlers(EventContext(lambda: bees, Policy, ledger.installation))
    _deploy(ledger, now)
    start = iter(range(0, 10**9, BATCH))

    def ours(size: int) -> float:
        batches = [messages(size, next(start)) for _ in range(BATCHES)]
        todo = iter(batches)
        return median_s(lambda: receive(next(todo), ledger, handlers, lambda _: now), repeats=BATCHES)

    in_batches, alone = ours(BATCH), ours(1)
    bare, bare_alone = _bare(directory, ledger, BATCH), _bare(directory, ledger, 1)
    ledger.close()
    per = 1e6 / BATCH
    return [
        Figure(f"intake, SQLite, batches of {BATCH}", in_batches * per, bare * per, "µs", "executemany of the rows"),
        Figure("intake, SQLite, one event alone", alone * 1e3, bare_alone * 1e3, "ms", "the same inserts and a commit"),
    ]


def _deploy(ledger: SqlLedger, now: datetime) -> None:
    with ledger.begin() as transaction:
        artifact = Artifact("file:///none", "0" * 64)
        transaction.models.add(ModelVersion("spam-guard", "1", "deployed", artifact, None, now, gate_passed=True))
        transaction.models.deploy(Deployment("spam-guard", 1, "1", None, now, "bench", None))


def _bare(directory: Path, ledger: SqlLedger, size: int) -> float:
    """Return the median seconds for one transaction that inserts `size` inbox and decision rows as they stand."""
    with ledger.database.begin(write=False) as connection:
        rows = {
            table: [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table} LIMIT {size}")]  # noqa: S608
            for table in ("inbox", "decisions")
        }
        made = [row[0] for row in connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
    bare = sqlite3.connect(directory / f"bare-{size}.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        bare.execute(f"PRAGMA {pragma}")
    for statement in made:
        if "inbox" in statement or "decisions" in statement:
            bare.execute(statement)
    number = iter(range(10**9))

    def insert() -> None:
        bare.execute("BEGIN IMMEDIATE")
        turn = next(number)
        inbox = [(row[0], f"{row[1]}-{turn}", *row[2:]) for row in rows["inbox"]]
        decisions = [(None, row[1], f"{row[2]}-{turn}", *row[3:]) for row in rows["decisions"]]
        bare.executemany(f"INSERT INTO inbox VALUES ({','.join('?' * len(inbox[0]))})", inbox)  # noqa: S608
        bare.executemany(f"INSERT INTO decisions VALUES ({','.join('?' * len(decisions[0]))})", decisions)  # noqa: S608
        bare.execute("COMMIT")

    took = median_s(insert, repeats=BATCHES)
    bare.close()
    return took

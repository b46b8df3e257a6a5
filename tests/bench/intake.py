"""Intake end to end in batches, against bare inserts of the same rows in the same transactions, on either database."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from config.schema import SHIPPED, load_bees
from handlers.events import event_handlers
from handlers.events.context import EventContext
from tests.bench.events import messages
from tests.bench.measure import Figure, median_s
from tests.postgres import PostgresServer, find_binaries, unprivileged
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.adapters.ledger.tables import decisions, inbox
from worker.decide.policy import Policy
from worker.heap import settle
from worker.intake.receive import receive
from worker.models.port import Artifact, Deployment, ModelVersion

BATCH = 500
BATCHES = 8
NOW = datetime(2003, 1, 1, tzinfo=UTC)
#: A database that the bench may write to; without it a private server is started, which does not wait for its disk.
POSTGRES = os.environ.get("COLONY_BENCH_POSTGRES", "")


def bench(directory: Path) -> list[Figure]:
    """Return microseconds per event, in batches and alone."""
    ledger = SqlLedger(Database(f"sqlite:///{directory}/ledger.db"))
    # As the worker does when it has started.
    settle()
    in_batches, alone = _ours(ledger, BATCH), _ours(ledger, 1)
    bare, bare_alone = bare_inserts(directory, ledger, BATCH), bare_inserts(directory, ledger, 1)
    ledger.close()
    per = 1e6 / BATCH
    found = [
        Figure(f"intake, SQLite, batches of {BATCH}", in_batches * per, bare * per, "µs", "executemany of the rows"),
        Figure("intake, SQLite, one event alone", alone * 1e3, bare_alone * 1e3, "ms", "the same inserts and a commit"),
    ]
    return found + (_postgres(POSTGRES, "") if POSTGRES else _private_postgres())


def _private_postgres() -> list[Figure]:
    binaries, account = find_binaries(), unprivileged()
    if binaries is None or (os.geteuid() == 0 and account is None):
        return []
    folder = Path(tempfile.mkdtemp(prefix="colony-bench-"))
    server = PostgresServer(binaries, folder, account)
    try:
        server.start()
        return _postgres(server.fresh(), " (fsync off)")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _postgres(url: str, how: str) -> list[Figure]:
    ledger = SqlLedger(Database(url))
    in_batches, alone, bare = _ours(ledger, BATCH), _ours(ledger, 1), _inserts(ledger)
    ledger.close()
    per = 1e6 / BATCH
    peer = "executemany of the rows, pipelined"
    return [
        Figure(f"intake, PostgreSQL{how}, batches of {BATCH}", in_batches * per, bare * per, "µs", peer),
        Figure(f"intake, PostgreSQL{how}, one event alone", alone * 1e3, None, "ms", ""),
    ]


def _ours(ledger: SqlLedger, size: int) -> float:
    """Return the median seconds of one batch."""
    bees, policy = load_bees([SHIPPED]), Policy()
    handlers = event_handlers(EventContext(lambda: bees, lambda: policy, ledger.installation))
    put_into_production(ledger)
    start = 10**6 if size == 1 else 0
    todo = iter([messages(size, start + size * number) for number in range(BATCHES + 1)])
    receive(next(todo), ledger, handlers, lambda _: NOW)
    return median_s(lambda: receive(next(todo), ledger, handlers, lambda _: NOW), repeats=BATCHES)


def put_into_production(ledger: SqlLedger) -> None:
    """Make a version of spam-guard the champion, if there is none."""
    with ledger.begin() as transaction:
        if transaction.models.champion("spam-guard") is None:
            artifact = Artifact("file:///none", "0" * 64)
            transaction.models.add(ModelVersion("spam-guard", "1", "deployed", artifact, None, NOW, gate_passed=True))
            transaction.models.deploy(Deployment("spam-guard", 1, "1", None, NOW, "bench", None))


def _inserts(ledger: SqlLedger) -> float:
    """Return the median seconds for one transaction that inserts the newest rows of a batch again, by the driver."""
    with ledger.database.begin(write=False) as connection:
        rows: dict[sa.Table, list[dict[str, Any]]] = {
            table: [dict(row._mapping) for row in connection.execute(sa.select(table).limit(BATCH))]
            for table in (inbox, decisions)
        }
    number = iter(range(10**9))

    def insert() -> None:
        turn = next(number)
        with ledger.database.begin() as connection:
            for table, found in rows.items():
                new = [{**row, "event_id": f"{row['event_id']}-{turn}"} for row in found]
                names = [column.name for column in table.columns if column.name != "seq"]
                values = ",".join(f"%({name})s" for name in names)
                statement = f"INSERT INTO {table.name} ({','.join(names)}) VALUES ({values})"  # noqa: S608
                cursor: Any = connection.connection.cursor()
                cursor.executemany(statement, new)

    return median_s(insert, repeats=BATCHES)


def bare_inserts(directory: Path, ledger: SqlLedger, size: int) -> float:
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
    took = median_s(_inserting(bare, rows), repeats=BATCHES)
    bare.close()
    return took


def _inserting(bare: sqlite3.Connection, rows: dict[str, list[tuple[Any, ...]]]) -> Callable[[], None]:
    number = iter(range(10**9))

    def insert() -> None:
        bare.execute("BEGIN IMMEDIATE")
        turn = next(number)
        inbox_rows = [(row[0], f"{row[1]}-{turn}", *row[2:]) for row in rows["inbox"]]
        journal = [(None, row[1], f"{row[2]}-{turn}", *row[3:]) for row in rows["decisions"]]
        bare.executemany(f"INSERT INTO inbox VALUES ({','.join('?' * len(inbox_rows[0]))})", inbox_rows)  # noqa: S608
        bare.executemany(f"INSERT INTO decisions VALUES ({','.join('?' * len(journal[0]))})", journal)  # noqa: S608
        bare.execute("COMMIT")

    return insert

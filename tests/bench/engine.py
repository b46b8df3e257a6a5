"""A chain of steps that do nothing, through the local engine with its journal on disk, against bare subprocesses."""

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.measure import Figure, median_s
from tests.worker.engine.recipe import Recipe
from worker.adapters.engine.local import LocalEngine
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.journal import SqlJournal
from worker.adapters.ledger.sql import SqlLedger
from worker.engine.state import Status
from worker.runs.port import Submission

STEPS = 10


def bench(directory: Path) -> list[Figure]:
    """Return milliseconds per step, a fresh Python process each."""
    ledger = SqlLedger(Database(f"sqlite:///{directory}/ledger.db"))
    engine = LocalEngine(
        SqlJournal(ledger.database), lambda: datetime.now(tz=UTC), "bench", max_steps=2, max_runs=2, environment={}
    )
    engine.start()
    recipe = Recipe()
    for number in range(STEPS):
        recipe.step(f"s{number}", after=[f"s{number - 1}"] if number else [])
    spec, names = recipe.document, iter(range(1000))

    def ours() -> None:
        run_id = f"bench-{next(names)}"
        labels = {"installation": "bench", "run": run_id}
        engine.submit(Submission(run_id, spec, {}, str(directory / run_id), labels))
        while not (state := engine.state(run_id)).status.ended:
            time.sleep(0.005)
        if state.status is not Status.SUCCEEDED:
            raise RuntimeError(state.error)

    took = median_s(ours, repeats=3)
    engine.close()
    ledger.close()
    bare = median_s(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True), repeats=STEPS)
    work = f"local engine, a no-op step in a chain of {STEPS}"
    return [Figure(work, took / STEPS * 1e3, bare * 1e3, "ms", "a bare subprocess of Python")]

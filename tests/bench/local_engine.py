"""A local engine with its journal on disk for the benches, and pipelines of steps that do next to nothing."""

import itertools
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.worker.engine.recipe import Recipe
from worker.adapters.engine.local import LocalEngine
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.journal import SqlJournal
from worker.adapters.ledger.sql import SqlLedger
from worker.engine.state import Status
from worker.runs.port import Submission

#: Our own step module, run in a preloaded process, doing nothing but telling how it is used.
OWN = ("python", "-m", "worker.steps", "--help")


class Bench:
    """An engine, and runs on it."""

    def __init__(self, engine: LocalEngine, journal: SqlJournal, directory: Path) -> None:
        """Run in a directory."""
        self.engine, self.journal, self.directory = engine, journal, directory
        self._names = (f"run-{number}" for number in itertools.count())

    def submit(self, spec: Mapping[str, Any], parameters: Mapping[str, Any] | None = None) -> str:
        """Submit a run and return its id."""
        run_id = next(self._names)
        labels = {"installation": "bench", "run": run_id}
        self.engine.submit(Submission(run_id, spec, parameters or {}, str(self.directory / run_id), labels))
        return run_id

    def run(self, spec: Mapping[str, Any], parameters: Mapping[str, Any] | None = None) -> str:
        """Run a pipeline to its end and return the run's id. Raises RuntimeError if it did not succeed."""
        run_id = self.submit(spec, parameters)
        while not self.status(run_id).ended:
            time.sleep(0.002)
        if self.status(run_id) is not Status.SUCCEEDED:
            raise RuntimeError(self.engine.state(run_id))
        return run_id

    def status(self, run_id: str) -> Status:
        """Return a run's status."""
        job = self.journal.job(run_id)
        if job is None:
            raise RuntimeError(f"there is no run {run_id}")
        return job.status


@contextmanager
def engine_in(
    directory: Path, *, max_steps: int = 2, max_runs: int = 2, environment: Mapping[str, str] | None = None
) -> Iterator[Bench]:
    """Give an engine that works."""
    ledger = SqlLedger(Database(f"sqlite:///{directory}/ledger.db"))
    journal = SqlJournal(ledger.database)
    engine = LocalEngine(
        journal,
        lambda: datetime.now(tz=UTC),
        "bench",
        max_steps=max_steps,
        max_runs=max_runs,
        environment=environment or {},
    )
    engine.start()
    try:
        yield Bench(engine, journal, directory)
    finally:
        engine.close(grace_s=0.1)
        ledger.close()


def chain(length: int, command: Sequence[str]) -> dict[str, Any]:
    """Return the spec of steps that run a command one after the other."""
    recipe = Recipe()
    for number in range(length):
        recipe.step(f"s{number}", after=[f"s{number - 1}"] if number else [])
        container = recipe.document["deploymentSpec"]["executors"][f"exec-s{number}"]["container"]
        container.update(command=list(command), args=[])
    return recipe.document


def own_cpu_s() -> float:
    """Return the processor seconds of this process and of those below it that start steps, without the steps."""
    ticks = sum(sum(map(int, fields[11:13])) for fields in _helpers())
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _helpers() -> Iterator[list[str]]:
    """Give the kernel's facts of the guards (children of this process) and of their one child, the servers."""
    parents = {str(os.getpid())}
    processes = {}
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                processes[directory.name] = (directory / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
    for _ in range(2):
        found = {pid: fields for pid, fields in processes.items() if fields[1] in parents}
        yield from found.values()
        parents = set(found)

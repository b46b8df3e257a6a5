"""Chains of steps that do nothing, with the journal on disk, against bare subprocesses and against kfp.local."""

import contextlib
import io
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
    """Return milliseconds per step."""
    with _engine(directory) as run:
        chain = Recipe()
        for number in range(STEPS):
            chain.step(f"s{number}", after=[f"s{number - 1}"] if number else [])
        ours = median_s(lambda: run(chain.document, {}), repeats=3)
        bare = median_s(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True), repeats=STEPS)
        spec, peer = _kfp_chain(directory)
        ours_kfp = median_s(lambda: run(spec, {"x": 0}), repeats=3)
        theirs = median_s(peer, repeats=3)
    scale = 1e3 / STEPS
    return [
        Figure(f"engine: a fresh process that does nothing, {STEPS} in a chain", ours * scale, bare * 1e3, "ms",
               "a bare subprocess of Python"),
        Figure(f"engine: a kfp Python component, {STEPS} in a chain", ours_kfp * scale, theirs * scale, "ms",
               "kfp.local, SubprocessRunner, same pipeline"),
    ]  # fmt: skip


@contextlib.contextmanager
def _engine(directory: Path) -> Iterator[Callable[[Mapping[str, Any], Mapping[str, Any]], None]]:
    """Give a function that runs a spec to its end on a local engine."""
    ledger = SqlLedger(Database(f"sqlite:///{directory}/ledger.db"))
    engine = LocalEngine(
        SqlJournal(ledger.database), lambda: datetime.now(tz=UTC), "bench", max_steps=2, max_runs=2, environment={}
    )
    engine.start()
    names = iter(range(1000))

    def run(spec: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        run_id = f"bench-{next(names)}"
        labels = {"installation": "bench", "run": run_id}
        engine.submit(Submission(run_id, spec, parameters, str(directory / run_id), labels))
        while not (state := engine.state(run_id)).status.ended:
            time.sleep(0.005)
        if state.status is not Status.SUCCEEDED:
            raise RuntimeError(state.error)

    yield run
    engine.close()
    ledger.close()


def _kfp_chain(directory: Path) -> tuple[Mapping[str, Any], Callable[[], object]]:
    """Return a chain of lightweight Python components, compiled, and a function that runs it with kfp.local."""
    from kfp import compiler, dsl, local

    @dsl.component(base_image="python:3.11", install_kfp_package=False)  # type: ignore[untyped-decorator, unused-ignore]
    def more(x: int) -> int:
        return x + 1

    @dsl.pipeline(name="chain")  # type: ignore[untyped-decorator, unused-ignore]
    def chain(x: int = 0) -> int:
        # kfp asks for caching unless told otherwise, and a result taken from before is no step run.
        task = more(x=x).set_caching_options(enable_caching=False)
        for _ in range(STEPS - 1):
            task = more(x=task.output).set_caching_options(enable_caching=False)
        value: int = task.output
        return value

    path = directory / "chain.json"
    compiler.Compiler().compile(chain, str(path))
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(directory / "kfp"))

    def peer() -> None:
        logging.disable(logging.CRITICAL)
        with contextlib.redirect_stdout(io.StringIO()):
            chain(x=0)
        logging.disable(logging.NOTSET)

    return json.loads(path.read_text(encoding="utf-8")), peer

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.worker.adapters.engine.memory_journal import MemoryJournal
from tests.worker.adapters.engine.waiting import until
from tests.worker.engine.recipe import Recipe
from worker.adapters.engine.local import LocalEngine
from worker.runs.port import EngineState, StepState, Submission


class Bench:
    """Engines on one journal, and runs submitted to the first of them."""

    def __init__(self, root: Path) -> None:
        """Begin without an engine."""
        self.root = root
        self.journal = MemoryJournal()
        self.engines: list[LocalEngine] = []

    def engine(self, **changed: Any) -> LocalEngine:
        """Make and start an engine."""
        settings: dict[str, Any] = {
            "max_steps": 4,
            "max_runs": 4,
            "environment": {},
            "lease_s": 5.0,
            "cancel_grace_s": 0.3,
        }
        name = f"engine-{len(self.engines)}"
        engine = LocalEngine(self.journal, lambda: datetime.now(tz=UTC), name, **{**settings, **changed})
        engine.start()
        self.engines.append(engine)
        return engine

    def submit(self, recipe: Recipe, run_id: str = "run-1", **parameters: Any) -> str:
        """Submit a run to the first engine (made if there is none) and return its id."""
        engine = self.engines[0] if self.engines else self.engine()
        directory = str(self.root / "runs" / run_id)
        engine.submit(Submission(run_id, recipe.document, parameters, directory, {"run": run_id}))
        return run_id

    def state(self, run_id: str = "run-1") -> EngineState:
        """Return a run's state."""
        return self.engines[0].state(run_id)

    def ended(self, run_id: str = "run-1") -> EngineState:
        """Wait for the end of a run."""
        return until(lambda: self.state(run_id), lambda state: state.status.ended)

    def run(self, recipe: Recipe, **parameters: Any) -> EngineState:
        """Submit a run and wait for its end."""
        return self.ended(self.submit(recipe, **parameters))

    def steps(self, run_id: str = "run-1") -> dict[str, StepState]:
        """Return a run's steps by their ids."""
        return {step.step_id: step for step in self.state(run_id).steps}

    def wait_for(self, path: Path) -> str:
        """Wait for a file that a step writes and return what is in it."""
        return until(lambda: path.read_text() if path.exists() else "")


@pytest.fixture(name="bench")
def _bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    try:
        yield bench
    finally:
        for engine in bench.engines:
            engine.close(grace_s=0.2)


@pytest.fixture(name="alive")
def _alive() -> Callable[[int], bool]:
    """Give a function that tells whether a process lives (a zombie does not)."""

    def alive(pid: int) -> bool:
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        return text.rpartition(")")[2].split()[0] not in "ZX"

    return alive

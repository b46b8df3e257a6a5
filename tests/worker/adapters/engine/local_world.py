"""The local engine for the contract suite: real processes, a journal in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.worker.adapters.engine.memory_journal import MemoryJournal
from tests.worker.adapters.engine.worlds import Outcome
from tests.worker.engine.recipe import Recipe
from worker.adapters.engine.local import LocalEngine
from worker.runs.port import Submission

_CODE = {"succeeds": "", "fails": "sys.exit('it broke')", "waits": "time.sleep(600)"}


class LocalWorld:
    """One engine in this process."""

    def __init__(self, root: Path) -> None:
        """Start it."""
        self.root = root
        self.engine = LocalEngine(
            MemoryJournal(), lambda: datetime.now(tz=UTC), "test", max_steps=2, max_runs=2, environment={}
        )
        self.engine.start()

    def submission(self, run_id: str, outcome: Outcome) -> Submission:
        """Return a run of two steps."""
        recipe = Recipe().step("first", writes=["data"]).step("second", _CODE[outcome], after=["first"])
        recipe.tasks["second"]["taskInfo"]["name"] = "second_step"
        labels = {"installation": "here", "run": run_id}
        return Submission(run_id, recipe.document, {}, str(self.root / run_id), labels)


@contextmanager
def open_world(root: Path) -> Iterator[LocalWorld]:
    """Give the world, and close it."""
    world = LocalWorld(root)
    try:
        yield world
    finally:
        world.engine.close(grace_s=0.2)

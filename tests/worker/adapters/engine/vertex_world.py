"""The Vertex engine for the contract suite: the real client against a local server of its message types."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.worker.adapters.engine.vertex_server import VertexServer
from tests.worker.adapters.engine.worlds import Outcome
from tests.worker.engine.recipe import Recipe
from worker.adapters.engine.vertex import VertexEngine
from worker.adapters.engine.vertex_calls import Calls, Quota
from worker.adapters.engine.vertex_client import Patience, client
from worker.adapters.engine.vertex_job import Placement
from worker.runs.port import Submission

PATIENCE = Patience(attempt_s=5.0, total_s=5.0, first_pause_s=0.001, longest_pause_s=0.01)
#: More than any test asks for.
QUOTA = Quota(submissions=100_000, calls=100_000)


def engine_at(
    address: str,
    *,
    patience: Patience = PATIENCE,
    quota: Quota = QUOTA,
    placement: Placement | None = None,
    rest_s: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
) -> VertexEngine:
    """Return an engine that talks to a server; unless `rest_s` says otherwise it asks again at once after a fault."""
    calls = Calls(lambda: client("europe-west1", address), patience, quota, rest_s=rest_s, clock=clock)
    return VertexEngine("my-project", "europe-west1", calls, placement)


class VertexWorld:
    """One engine, and the server that it talks to; each look at a job moves it on."""

    def __init__(self) -> None:
        """Start the server."""
        self.server = VertexServer(advance_on_get=True)
        self.engine = engine_at(self.server.address)

    def submission(self, run_id: str, outcome: Outcome) -> Submission:
        """Return a run of two steps."""
        {"fails": self.server.failing, "waits": self.server.waiting, "succeeds": set()}[outcome].add(run_id)
        recipe = Recipe().step("first", writes=["data"]).step("second", after=["first"])
        recipe.tasks["second"]["taskInfo"]["name"] = "second_step"
        labels = {"installation": "here", "run": run_id}
        return Submission(run_id, recipe.document, {}, "gs://bucket/runs", labels)


@contextmanager
def open_world(_root: Path) -> Iterator[VertexWorld]:
    """Give the world, and close it."""
    world = VertexWorld()
    try:
        yield world
    finally:
        world.engine.close()
        world.server.close()

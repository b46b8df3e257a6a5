"""The table of engines that the contract suite runs over; each module has `open_world(tmp_path)`."""

from typing import Literal, Protocol

from worker.runs.port import PipelineEngine, Submission

#: name → module; a module gives a context manager `open_world(tmp_path) -> World`.
WORLDS: dict[str, str] = {
    "local": "tests.worker.adapters.engine.local_world",
    "vertex": "tests.worker.adapters.engine.vertex_world",
}

Outcome = Literal["succeeds", "fails", "waits"]


class World(Protocol):
    """An engine, and the power over how runs on it go."""

    engine: PipelineEngine

    def submission(self, run_id: str, outcome: Outcome) -> Submission:
        """Return a run of two steps, `first` and then `second_step`, which itself succeeds, fails or waits for ever."""
        ...

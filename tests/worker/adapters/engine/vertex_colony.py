"""The loop over runs with the real Vertex engine, the real reader of outcomes and a real ledger over local servers."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from handlers.events import event_handlers
from handlers.events.context import EventContext
from tests.google_storage import StorageServer
from tests.worker import world
from tests.worker.adapters.engine.cut_proxy import CutProxy
from tests.worker.adapters.engine.vertex_server import Fault, VertexServer
from tests.worker.adapters.engine.vertex_world import engine_at
from tests.worker.adapters.engine.waiting import until
from tests.worker.engine.recipe import Recipe
from worker.adapters.engine.outcomes import OutcomeFiles
from worker.adapters.engine.vertex import VertexEngine
from worker.adapters.ledger.sql import SqlLedger
from worker.decide.policy import Policy
from worker.incidents.machine import Incident
from worker.intake.receive import receive
from worker.runs.advance import Advancer
from worker.runs.launch import Launcher
from worker.runs.lifecycle import Run
from worker.runs.settle import Settler
from worker.runs.timers import Timers
from worker.runs.watch import Watcher

BUCKET = "colony-bucket"
METHODS = ("CreatePipelineJob", "GetPipelineJob", "ListPipelineJobs", "CancelPipelineJob")


@dataclass
class Freezer(world.Freezer):
    """A configuration whose template compiles to two steps, in a bucket."""

    def spec(self, template: str) -> Mapping[str, Any]:
        """Return a pipeline that any engine takes."""
        recipe = Recipe({"run": ("STRUCT", {})}).step("train", writes=["model"]).step("judge", after=["train"])
        return {**recipe.document, "pipelineInfo": {"name": template}}

    def output_dir(self, run_id: str) -> str:
        """Return a place in the bucket."""
        return f"gs://{BUCKET}/runs/{run_id}"


@dataclass
class Seconds:
    """The engine's clock, which goes on when it is told to."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@dataclass
class Colony:
    """One installation on Google: what a test does to its servers happens to its runs."""

    ledger: SqlLedger
    vertex: VertexServer
    storage: StorageServer
    proxy: CutProxy
    engine: VertexEngine
    clock: Seconds
    now: datetime = world.NOW
    longest_stall: timedelta | None = timedelta(hours=6)
    freezer: Freezer = field(default_factory=Freezer)

    def ask(self, bee: str = world.BEE.bee, **outcome: Any) -> Run:
        """Ask for a run by hand that will leave an outcome which may be deployed, but for the changes."""
        return self.leaves(world.ask_for_run(self.ledger, bee=bee), **outcome)

    def leaves(self, run: Run, **outcome: Any) -> Run:
        """Put into the bucket what the run will have left at its end."""
        content = world.outcome(run.id, bee=run.bee, **outcome)
        self.storage.put(f"{self.freezer.output_dir(run.id)}/outcome.json", json.dumps(content).encode())
        return run

    def drift(self) -> Run:
        """Let a bad evaluation open an incident, and return the run that it asks for."""
        context = EventContext(lambda: world.BEES, Policy, self.ledger.installation)
        bad = world.data(evaluatedAt=self.now.isoformat())
        (item,) = receive([world.message("e1", bad)], self.ledger, event_handlers(context), lambda _: self.now)
        assert item.result, item.reason
        return self.leaves(self.run(item.result["runId"]))

    def pass_time(self, later: timedelta) -> Run:
        """Let time go by, and return the run that begins of itself."""
        self.now += later
        before = {run.id for run in self.runs()}
        Timers(self.ledger, lambda: world.BEES, Policy, lambda: self.now).turn()
        (run,) = [run for run in self.runs() if run.id not in before]
        return self.leaves(run)

    def incident(self) -> Incident:
        """Return the only incident there is."""
        with self.ledger.begin(write=False) as transaction:
            (found,) = transaction.incidents.list()
        assert isinstance(found, Incident)
        return found

    def turn(self) -> int:
        """Let the loop turn once over every run, whether it rests or not; the engine's clock goes on by a minute."""
        self.clock.now += 60.0
        with self.ledger.begin() as transaction:
            for run in transaction.runs.list(settled=False):
                transaction.runs.look_now(run.id)
        return Advancer(
            ledger=self.ledger,
            launcher=Launcher(self.ledger, self.engine, self.freezer),
            watcher=Watcher(self.ledger, self.engine, self.longest_stall),
            settler=Settler(self.ledger, OutcomeFiles("p", self.storage.url), lambda: world.BEES),
            clock=lambda: self.now,
            owner="one",
            poll_s=60.0,
            together=True,
        ).turn()

    def settle(self) -> None:
        """Let the loop turn until every run is settled."""
        self.until(lambda: all(run.settled for run in self.runs()))

    def until(self, done: Callable[[], bool]) -> None:
        """Let the loop turn until something is so."""
        until(lambda: self.turn() >= 0 and done(), timeout_s=60.0)

    def run(self, run_id: str) -> Run:
        """Return a run."""
        return world.get_run(self.ledger, run_id)

    def runs(self) -> list[Run]:
        """Return the runs, oldest first."""
        with self.ledger.begin(write=False) as transaction:
            return list(reversed(transaction.runs.list()))

    def disturb(self, fault: Fault, *methods: str) -> None:
        """Let the next call of each method go wrong."""
        for method in methods or METHODS:
            self.vertex.fail(method, replace(fault))

    def end_state(self) -> dict[str, Any]:
        """Return all that must not depend on what went wrong."""
        runs = [(run.id, run.status, run.verdict, run.error, run.settled) for run in self.runs()]
        with self.ledger.begin(write=False) as transaction:
            steps = {run[0]: [(s.step_id, s.status, s.attempt) for s in transaction.runs.steps(run[0])] for run in runs}
            champions = {bee: transaction.models.champion(bee) for bee in world.BEES}
        versions = {bee: champion.version for bee, champion in champions.items() if champion}
        events = sorted(world.event_ids(self.ledger))
        return {"runs": runs, "steps": steps, "champions": versions, "events": events, "jobs": sorted(self.vertex.jobs)}


@contextmanager
def colony_in(directory: Path) -> Iterator[Colony]:
    """Give a colony in which version 1 of each bee is in production, on servers of its own."""
    ledger = world.new_ledger(directory)
    vertex, storage = VertexServer(advance_on_get=True), StorageServer(BUCKET)
    proxy = CutProxy(vertex.address)
    clock = Seconds()
    engine = engine_at(proxy.address, rest_s=5.0, clock=clock)
    try:
        for bee in world.BEES:
            world.put_into_production(ledger, bee=bee)
        yield Colony(ledger, vertex, storage, proxy, engine, clock)
    finally:
        engine.close()
        proxy.close()
        vertex.close()
        storage.close()
        ledger.close()

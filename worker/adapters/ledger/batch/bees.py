"""What a batch knows of its bees: memories, incidents, runs in flight, and what is in production."""

from collections.abc import Collection, Sequence
from typing import Any

from worker.adapters.ledger.batch.load import Pair, Reader
from worker.adapters.ledger.batch.state import Rows, Store, Undo, only_own
from worker.adapters.ledger.incidents import SqlIncidents, incident_of
from worker.adapters.ledger.memories import SqlMemories, memory_of
from worker.adapters.ledger.models import SqlModels, deployment_of, version_of
from worker.adapters.ledger.runs import SqlRuns, run_of, run_row
from worker.costs.estimate import Past, Window
from worker.decide.memory import BeeMemory, ColonyMemory
from worker.errors import Conflict
from worker.incidents.machine import Incident, State
from worker.models.port import Deployment, ModelVersion
from worker.runs.lifecycle import Run

_ALL = "*"


@only_own
class BatchMemories(SqlMemories):
    """Memories inside a batch."""

    def open(self, undo: Undo) -> None:
        """Begin with nothing known."""
        self.bees: Store[str, BeeMemory] = Store(undo, super().of)
        self._texts: dict[str, str | None] = {}
        self.colonies: Store[str, ColonyMemory] = Store(undo, lambda _: super(BatchMemories, self).colony())
        self._locked = False

    def of(self, bee: str) -> BeeMemory:
        """Return what is remembered of a bee; a new memory if there is none."""
        return self.bees.get(bee)

    def save(self, bee: str, memory: BeeMemory) -> None:
        """Replace what is remembered of a bee."""
        self.bees.put(bee, memory)

    def colony(self, *, lock: bool = False) -> ColonyMemory:
        """Return what is remembered of all bees together; locked until the transaction ends if asked for."""
        if lock and not self._locked:
            self._locked = True
            # What was read before the lock may be old by now; nothing of it was changed without the lock.
            self.colonies.load(_ALL, super().colony(lock=True))
        return self.colonies.get(_ALL)

    def save_colony(self, memory: ColonyMemory) -> None:
        """Replace what is remembered of the colony; its lock must be held."""
        self.colonies.put(_ALL, memory)

    def load(self, bee: str, text: str | None) -> None:
        """Keep what the bee's row says."""
        self.bees.load(bee, memory_of(text))


@only_own
class BatchIncidents(SqlIncidents):
    """Incidents inside a batch."""

    def open(self, reader: Reader, undo: Undo, bees: Collection[str]) -> None:
        """Read the bees' open incidents."""
        self._open: Store[str, Incident | None] = Store(undo, super().open_for)
        self.saved: Store[str, Incident | None] = Store(undo, super().get)
        found = {row.bee: incident_of(row) for row in reader.of_bees("incidents", bees)}
        for bee in bees:
            self._open.load(bee, found.get(bee))
        for incident in found.values():
            self.saved.load(incident.id, incident)

    def open_for(self, bee: str) -> Incident | None:
        """Return the bee's incident that is not closed."""
        return self._open.get(bee)

    def get(self, incident_id: str) -> Incident | None:
        """Return one incident."""
        return self.saved.get(incident_id)

    def save(self, incident: Incident) -> None:
        """Insert or replace. Raises Conflict if the bee has another that is not closed."""
        current = self._open.get(incident.bee)
        other = current is not None and current.id != incident.id
        closed = incident.state is State.CLOSED
        if other and not closed:
            raise Conflict(f"bee {incident.bee} has another open incident")
        self.saved.put(incident.id, incident)
        if not other:
            self._open.put(incident.bee, None if closed else incident)


@only_own
class BatchRuns(SqlRuns):
    """Runs inside a batch."""

    def open(self, reader: Reader, undo: Undo, bees: Collection[str]) -> None:
        """Read the bees' runs in flight."""
        self._flying: Store[str, Run | None] = Store(undo, super().in_flight)
        self._count: Store[str, int] = Store(undo, lambda _: super(BatchRuns, self).incidents_in_flight())
        self._past: Store[tuple[str, str | None, int], Sequence[Past]] = Store(undo, self._read_past)
        self._windows: Store[str, Window | None] = Store(undo, super().newest_window)
        self.rows = Rows(undo)
        found = {row.bee: run_of(row) for row in reader.of_bees("runs", bees)}
        for bee in bees:
            self._flying.load(bee, found.get(bee))

    def in_flight(self, bee: str) -> Run | None:
        """Return the bee's loop run that has not been settled."""
        return self._flying.get(bee)

    def incidents_in_flight(self) -> int:
        """Return how many runs of incidents have not been settled, of all bees."""
        return self._count.get(_ALL)

    def past(self, template: str, bee: str | None, *, limit: int) -> Sequence[Past]:
        """Return the newest settled runs of a template whose cost is known; a batch settles none."""
        return self._past.get((template, bee, limit))

    def newest_window(self, bee: str) -> Window | None:
        """Return the newest data window of a bee's runs of which the size is known."""
        return self._windows.get(bee)

    def _read_past(self, key: tuple[str, str | None, int]) -> Sequence[Past]:
        template, bee, limit = key
        return super().past(template, bee, limit=limit)

    def get(self, run_id: str) -> Run | None:
        """Return one run."""
        waiting = (run for run in self._flying.dirty.values() if run is not None and run.id == run_id)
        return next(waiting, None) or super().get(run_id)

    def add(self, run: Run) -> None:
        """Store a new run. Raises Conflict if the id exists, or the bee has a loop run in flight."""
        if run.loop and self._flying.get(run.bee) is not None:
            raise Conflict(f"bee {run.bee} has a run in flight")
        if self.get(run.id) is not None:
            raise Conflict(f"run {run.id} exists already")
        if run.loop:
            self._flying.put(run.bee, run)
        if run.incident_id is not None:
            self._count.put(_ALL, self._count.get(_ALL) + 1)
        self.rows.add(run_row(run))


@only_own
class BatchModels(SqlModels):
    """What is in production, inside a batch; every change of it is done directly."""

    def open(self, reader: Reader, undo: Undo, bees: Collection[str]) -> None:
        """Read the bees' champions and their versions."""
        self._champions: Store[str, Deployment | None] = Store(undo, super().champion)
        self._versions: Store[Pair, ModelVersion | None] = Store(undo, lambda key: super(BatchModels, self).get(*key))
        found = {row.bee: deployment_of(row) for row in reader.of_bees("champions", bees)}
        for bee in bees:
            self._champions.load(bee, found.get(bee))
        self.live = [(one.bee, one.version) for one in found.values()]
        versions: dict[Pair, Any] = {
            (row.bee, row.version): version_of(row) for row in reader.of_pairs("versions", self.live)
        }
        for pair in self.live:
            self._versions.load(pair, versions.get(pair))

    def get(self, bee: str, version: str) -> ModelVersion | None:
        """Return one version."""
        return self._versions.get((bee, version))

    def champion(self, bee: str) -> Deployment | None:
        """Return the newest deployment: what is in production."""
        return self._champions.get(bee)

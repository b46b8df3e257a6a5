import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.worker.adapters.engine.every_construct import every_construct
from tests.worker.adapters.engine.hooked_journal import HookedJournal, Side
from tests.worker.adapters.engine.waiting import until
from worker.adapters.engine.local import LocalEngine
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.tables import metadata
from worker.engine.port import TaskRecord
from worker.engine.state import Status
from worker.runs.port import EngineState, Submission

SIDES: tuple[Side, ...] = ("before", "after")


class Race:
    """An engine on a real ledger that is told to cancel a run right before or after one of its writes."""

    def __init__(self, root: Path) -> None:
        """Make the engine; nothing runs before a run is submitted."""
        self.root = root
        self.database = Database(f"sqlite:///{root}/ledger.db")
        metadata.create_all(self.database.engine)
        self.journal = HookedJournal(self.database, self.cancel_when_due)
        self.due: dict[str, tuple[int, Side]] = {}
        self.engine = LocalEngine(
            self.journal, lambda: datetime.now(tz=UTC), "race", max_steps=4, max_runs=6, environment={}
        )

    def cancel_when_due(self, run_id: str, number: int, side: Side) -> None:
        """Cancel a run whose time has come."""
        if self.due.get(run_id) == (number, side):
            self.engine.cancel(run_id)

    def submit(self, run_id: str, due: tuple[int, Side]) -> str:
        """Submit a run to be cancelled then."""
        self.due[run_id] = due
        recipe = every_construct(str(self.root / f"{run_id}.trace"))
        self.engine.submit(Submission(run_id, recipe.document, {}, str(self.root / run_id), {"run": run_id}))
        return run_id

    def ended(self, run_id: str) -> EngineState:
        """Wait for the end of a run."""
        return until(lambda: self.engine.state(run_id), lambda state: state.status.ended, timeout_s=60.0)


@pytest.fixture(name="race")
def _race(tmp_path: Path) -> Iterator[Race]:
    race = Race(tmp_path)
    race.engine.start()
    try:
        yield race
    finally:
        race.engine.close(grace_s=0.2)
        race.database.close()


def wrong(state: EngineState, records: list[TaskRecord], began: set[str]) -> str | None:
    """Return what is not consistent in how a cancelled run ended, None if all is."""
    left = [step.step_id for step in state.steps if not step.status.ended]
    left += [record.path for record in records if not record.status.ended]
    told = {step.step_id: step.status for step in state.steps}
    kept = {record.path: record.status for record in records}
    if left:
        return f"left over: {left}"
    if any(told[path] is not status for path, status in kept.items() if path in told):
        return f"told {told}, recorded {kept}"
    if not began <= kept.keys():
        return f"{began - kept.keys()} ran without a record"
    whole = all(status in (Status.SUCCEEDED, Status.SKIPPED) for status in told.values())
    error = (state.error or "").partition(" before it began")[0]
    if (state.status, error, whole) in ((Status.SUCCEEDED, "", True), (Status.CANCELLED, "cancelled", False)):
        return None
    return f"{state.status} ({state.error}) with {told}"


def faults(race: Race, states: dict[str, EngineState]) -> dict[str, str]:
    """Return what is wrong with how runs ended, by their names."""
    found = {}
    for name, state in states.items():
        trace = race.root / f"{name}.trace"
        lines = trace.read_text().split() if trace.exists() else []
        began = {line.partition("/steps/")[2].rpartition("/parameters/")[0].rpartition("/")[0] for line in lines}
        if fault := wrong(state, list(race.journal.tasks(name)), began):
            found[name] = fault
        if len(lines) != len(set(lines)):
            found[name] = f"an attempt ran twice: {lines}"
    return found


def test_cancel_at_every_state_change(race: Race) -> None:
    """Cancelled right before or after any write, a run ends once, as what its steps say, with none left over.

    Its exit task runs in any case.
    """
    calm = race.submit("calm", (0, "before"))
    assert race.ended(calm).status is Status.SUCCEEDED
    count = race.journal.counts[calm]
    # What comes together in one write differs a little from run to run.
    names = [race.submit(f"{side}-{at}", (at, side)) for at in range(1, count + 5) for side in SIDES]
    states = {name: race.ended(name) for name in names}

    assert faults(race, states) == {}
    assert {states[f"{side}-1"].status for side in SIDES} == {Status.CANCELLED}
    assert [state.steps[-1].status for state in states.values()] == [Status.SUCCEEDED] * len(states)


def test_cancel_at_any_time(race: Race) -> None:
    """Cancelled from another thread at forty moments until after its end, a run ends the same way."""
    begun = time.monotonic()
    race.ended(race.submit("calm", (0, "before")))
    took = time.monotonic() - begun
    states = {}
    for number in range(40):
        begun, name = time.monotonic(), race.submit(f"run-{number}", (0, "before"))
        until(lambda begun=begun, wait=took * number / 30: time.monotonic() - begun >= wait)
        race.engine.cancel(name)
        states[name] = race.ended(name)
    late = race.submit("late", (0, "before"))
    race.ended(late)
    race.engine.cancel(late)
    states[late] = race.ended(late)

    assert faults(race, states) == {}
    assert states["run-0"].status is Status.CANCELLED
    assert states[late].status is Status.SUCCEEDED

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from tests.worker import world
from tests.worker.world import BEE, BEES
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import TryLater
from worker.pipelines.shape import Schedule
from worker.pipelines.template import Template
from worker.runs.lifecycle import Run
from worker.runs.schedule import Scheduler

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _daily(bee: str = BEE.bee, name: str = "nightly", *, deploys: bool = False) -> Template:
    schedule = Schedule(cron="0 3 * * *", parameters={"beeId": bee, "depth": 5})
    return world.template(name, deploys=deploys, schedule=schedule)


@dataclass
class Wall:
    """Schedulers on one ledger, and the clock that they share."""

    ledger: SqlLedger
    now: datetime = START
    templates: list[Template] = field(default_factory=lambda: [_daily()])

    def turn(self, after: timedelta = timedelta(0)) -> int:
        """Let time pass, then let a process look."""
        self.now += after
        return Scheduler(self.ledger, lambda: self.templates, lambda: BEES, lambda: self.now).turn()

    def runs(self) -> Sequence[Run]:
        """Return all runs, oldest first."""
        with self.ledger.begin(write=False) as transaction:
            return list(reversed(transaction.runs.list()))


@pytest.fixture(name="wall")
def _wall(ledger: SqlLedger) -> Wall:
    return Wall(ledger)


def test_what_is_due_runs_once(wall: Wall) -> None:
    """A template that is new waits for its next occurrence, which asks for one run, named by template and due time."""
    turns = [wall.turn(), wall.turn(14 * HOUR), wall.turn(HOUR), wall.turn(HOUR), wall.turn(24 * HOUR)]

    first, second = wall.runs()
    due = datetime(2026, 11, 24, 3, tzinfo=UTC)
    assert turns == [0, 0, 1, 0, 1]
    assert (first.trigger, first.as_of, first.loop, first.bee) == ("schedule", due, False, BEE.bee)
    assert first.parameters == {"beeId": BEE.bee, "depth": 5}
    assert first.reason == "due at 2026-11-24T03:00:00Z (0 3 * * *, UTC)"
    assert second.as_of == due + timedelta(days=1)
    assert first.id != second.id
    assert world.event_types(wall.ledger) == ["pipeline.run.requested"] * 2


def test_missed_ones_run_once(wall: Wall) -> None:
    """After a week without any worker only the newest occurrence runs."""
    wall.turn()

    assert wall.turn(timedelta(days=7)) == 1
    assert wall.turn() == 0
    assert [run.as_of for run in wall.runs()] == [datetime(2026, 11, 30, 3, tzinfo=UTC)]


def test_many_workers(wall: Wall) -> None:
    """Eight workers that look at the same moment ask for one run."""
    wall.turn()
    wall.now += timedelta(days=1)

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: wall.turn(), range(8)))

    assert sum(done) == 1
    assert len(wall.runs()) == 1


def test_it_waits_for_the_bees_slot(wall: Wall) -> None:
    """A template that may change the champion waits while another such run is in flight; one that does not, runs."""
    world.ask_for_run(wall.ledger)
    wall.templates = [_daily(deploys=True), _daily(name="scores")]
    wall.turn()

    assert wall.turn(timedelta(days=1)) == 1
    assert {run.template for run in wall.runs()} == {"auto-retrain", "scores"}


def test_a_fault_stops_only_its_schedule(wall: Wall) -> None:
    """An unknown bee is told with its place, and the other schedules go on."""
    wall.templates = [_daily("nobody", "lost"), _daily()]
    wall.turn()

    with pytest.raises(TryLater, match=r"the schedule of lost: schedule.parameters.beeId: there is no bee 'nobody'"):
        wall.turn(timedelta(days=1))
    assert [run.template for run in wall.runs()] == ["nightly"]

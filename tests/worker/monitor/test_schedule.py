"""The loop that judges by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.worker.monitor.watched import DAY, NOW, START, bee, fill, monitor_of, store_in, version
from worker.adapters.ledger.care import LedgerCare
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.bee import BeeSpec
from worker.errors import TryLater
from worker.features.port import Write
from worker.models.port import Deployment
from worker.models.traffic import Traffic
from worker.monitor.period import newest_due
from worker.monitor.schedule import Watch, occurrence
from worker.publish.port import Outgoing


@dataclass
class World:
    """Two workers' share of the world: ledger, store, bus, and a clock that is set by hand."""

    directory: Path
    now: datetime = NOW
    told: list[Outgoing] = field(default_factory=list)
    away: bool = False

    def __post_init__(self) -> None:
        self.database = Database(f"sqlite:///{self.directory}/ledger.db")
        self.ledger = SqlLedger(self.database)
        self.store = store_in(self.directory)
        with self.ledger.begin() as transaction:
            transaction.models.add(version())
            transaction.models.deploy(Deployment("watched", 1, "1", None, START, "first", None))

    def publish(self, event: Outgoing) -> None:
        """Be the bus."""
        if self.away:
            raise TryLater("the bus is away")
        self.told.append(event)

    def worker(self, name: str, spec: BeeSpec, others: Mapping[str, BeeSpec] | None = None) -> Watch:
        """Return a worker's loop."""
        care = LedgerCare(self.database)
        monitor = monitor_of(self.store)
        bees = {**(others or {}), spec.bee: spec}
        return Watch(self.ledger, lambda: bees, lambda: monitor, self.publish, lambda: self.now, care.claim, name)


@pytest.fixture
def world(tmp_path: Path) -> Any:
    """Give a world with sixty days of rows and labels."""
    world = World(tmp_path)
    fill(world.store, range(60), wrong=1, labels_after=timedelta(0))
    yield world
    world.store.close()
    world.ledger.close()


def test_a_window_is_told_once(world: World) -> None:
    """The newest window is judged as soon as the worker is up, then not again before the next has ended."""
    watch = world.worker("a", bee(every="7d"))
    assert [watch.turn(), watch.turn()] == [1, 0]
    world.now += 6 * DAY
    assert watch.turn() == 0
    world.now += DAY
    _release(world)
    assert watch.turn() == 1
    first, second = world.told
    assert first.data["window"]["end"] == second.data["window"]["start"]
    assert first.data["metrics"]["accuracy"] == pytest.approx(0.9)


def test_two_workers_tell_it_once(world: World) -> None:
    """A second worker, and one that begins again, find it done."""
    first, second = (world.worker(name, bee(every="7d")) for name in "ab")
    assert [first.turn(), second.turn()] == [1, 0]
    _release(world)
    assert [second.turn(), world.worker("c", bee(every="7d")).turn()] == [0, 0]


def test_while_one_worker_judges_the_other_leaves_it(world: World) -> None:
    """The right to judge is a lease by the database's clock: whoever holds it keeps others out, dead or alive."""
    LedgerCare(world.database).claim(occurrence("watched"), "somebody", timedelta(hours=1))
    assert world.worker("a", bee(every="7d")).turn() == 0
    assert world.told == []


def test_missed_windows_are_not_made_up_for(world: World) -> None:
    """After weeks without a worker the newest window alone is told."""
    watch = world.worker("a", bee(every="7d"))
    watch.turn()
    world.now += 35 * DAY
    fill(world.store, range(60, 95), labels_after=timedelta(0))
    _release(world)
    assert [watch.turn(), watch.turn()] == [1, 0]
    assert len(world.told) == 2


def test_what_could_not_be_published_is_published_later(world: World) -> None:
    """A bus that is away leaves the window to be told once the lease is over, as the same event."""
    world.away = True
    watch = world.worker("a", bee(every="7d"))
    with pytest.raises(TryLater, match="away"):
        watch.turn()
    world.away = False
    assert watch.turn() == 0
    world.now += timedelta(minutes=61)
    _release(world)
    assert watch.turn() == 1
    assert len(world.told) == 1


def test_labels_are_awaited_for_half_the_time_then_drift_is_told_alone(world: World) -> None:
    """Without its labels a window waits; half of `every` after its end it is told, its metrics null."""
    fill(world.store, range(60, 70), shift=6, labels_after=None)
    spec = bee(every="7d")
    world.now = _on_grid(START + 70 * DAY)
    assert world.worker("a", spec).turn() == 0
    world.now += 3.4 * DAY
    _release(world)
    assert world.worker("b", spec).turn() == 0
    world.now += 0.2 * DAY
    _release(world)
    assert world.worker("c", spec).turn() == 1
    (event,) = world.told
    assert set(event.data["metrics"].values()) == {None}
    assert event.data["drift"]["features"] == ["left"]


def _on_grid(moment: datetime) -> datetime:
    """Return the end of a week by the grid of whole weeks since 1970."""
    return newest_due(moment, 7 * DAY, timedelta(0))


def _release(world: World) -> None:
    """Let the database's clock come to the end of every lease."""
    with world.database.begin() as connection:
        connection.exec_driver_sql("UPDATE leases SET until = 0")


def test_a_faulty_bee_does_not_stop_the_others(world: World) -> None:
    """One whose reference is gone is told as a fault, the other is judged; one that declares nothing is left alone."""
    faulty = bee(every="7d", reference="training").model_copy(update={"bee": "another"})
    quiet = bee().model_copy(update={"bee": "quiet"})
    with world.ledger.begin() as transaction:
        for name in ("another", "quiet"):
            transaction.models.add(replace(version(), bee=name))
            transaction.models.deploy(Deployment(name, 1, "1", None, START, "first", None))
    watch = world.worker("a", bee(every="7d"), {"another": faulty, "quiet": quiet})
    with pytest.raises(TryLater, match="another"):
        watch.turn()
    assert [event.bee for event in world.told] == ["watched"]


def test_without_a_model_in_production_nothing_is_due(tmp_path: Path) -> None:
    """A bee that has never had one is left alone."""
    world = World(tmp_path)
    spec = bee(every="7d").model_copy(update={"bee": "new"})
    watch = world.worker("a", spec)
    assert watch.turn() == 0
    world.store.close()
    world.ledger.close()


def test_the_longest_name_fits_the_ledger() -> None:
    """A bee's name may be 63 characters, which the ledger's column takes, too."""
    assert occurrence("spam-guard") == "monitor/spam-guard"
    assert len(occurrence("x" * 63)) <= 63
    assert occurrence("x" * 63) != occurrence("x" * 62)


def test_a_late_label_does_not_change_the_window(world: World) -> None:
    """A window that is judged two days late is the one that was due, by what was known then."""
    spec = bee(every="7d")
    world.now = _on_grid(NOW) + 2 * DAY
    world.store.write([Write("late", "label", 1.0, _on_grid(NOW) - DAY, world.now - timedelta(hours=1))])
    assert world.worker("a", spec).turn() == 1
    assert world.told[0].data["window"]["end"].startswith(f"{_on_grid(NOW):%Y-%m-%d}")
    assert world.told[0].data["window"]["sampleCount"] == 71


def test_while_more_than_the_champion_is_live_each_is_judged(world: World) -> None:
    """A challenger is judged on the very same window, served or only scored, under an id of its own."""
    split = Traffic((("2", 10), ("1", 90)), "salt", shadow=("3",))
    with world.ledger.begin() as transaction:
        for number in ("2", "3"):
            transaction.models.add(replace(version(), version=number, state="challenger"))
        transaction.models.deploy(Deployment("watched", 2, "1", None, START, "canary", None, split))
    watch = world.worker("a", bee(every="7d"))
    assert [watch.turn(), watch.turn()] == [1, 0]
    assert [event.data["modelVersion"] for event in world.told] == ["2", "3", "1"]
    assert len({event.data["window"]["id"] for event in world.told}) == 1
    assert len({event.id for event in world.told}) == 3

"""The loop that looks at features by itself, and what bees make of what it finds."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from handlers.events import event_handlers
from handlers.events.context import EventContext
from tests.worker.monitor.watched import DAY, START, bee, fill, store_in, version
from worker.adapters.ledger.care import LedgerCare
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.bee import BeeSpec, DriftSpec
from worker.decide.policy import FeatureRule, Policy
from worker.errors import TryLater
from worker.incidents.machine import State
from worker.intake.consume import Consumer
from worker.intake.own import hand_over
from worker.intake.port import Subscription
from worker.models.port import Deployment
from worker.monitor.feature_schedule import FeatureWatch, occurrence
from worker.monitor.feature_spec import FeatureGroup, FeatureMonitorSpec
from worker.monitor.period import newest_due
from worker.publish.catalogue import catalogue
from worker.publish.port import Outgoing
from worker.runs.timers import Timers

WEEK = 7 * DAY
GROUP = FeatureGroup("things", FeatureMonitorSpec(every=WEEK, drift=DriftSpec(min_rows=20)), ("left", "colour"))
#: Windows end on the grid of whole weeks since 1970.
FIRST = newest_due(START + WEEK, WEEK, timedelta(0)) + WEEK


@dataclass
class World:
    """Two workers' share of the world; what is published comes to the real intake."""

    directory: Path
    policy: Policy = field(default_factory=Policy)
    now: datetime = FIRST
    told: list[Outgoing] = field(default_factory=list)
    away: bool = False
    spec: BeeSpec = field(default_factory=bee)

    def __post_init__(self) -> None:
        self.database = Database(f"sqlite:///{self.directory}/ledger.db")
        self.ledger = SqlLedger(self.database)
        self.store = store_in(self.directory)
        with self.ledger.begin() as transaction:
            transaction.models.add(version())
            transaction.models.deploy(Deployment("watched", 1, "1", None, START, "first", None))

    def consumer(self, *, subscription: Subscription) -> Consumer:
        """Return the intake."""
        context = EventContext(lambda: {"watched": self.spec}, lambda: self.policy, self.ledger.installation)
        return Consumer(subscription, self.ledger, event_handlers(context), lambda _: self.now)

    def publish(self, event: Outgoing) -> None:
        """Be the bus and the intake behind it."""
        if self.away:
            raise TryLater("the bus is away")
        self.told.append(event)
        hand_over(event, None, self.consumer)

    def worker(self, name: str = "a", *groups: FeatureGroup) -> FeatureWatch:
        """Return a worker's loop."""
        return FeatureWatch(
            ledger=self.ledger,
            groups=lambda: groups or (GROUP,),
            bees=lambda: {"watched": self.spec},
            policy=lambda: self.policy,
            store=lambda: self.store,
            publish=self.publish,
            clock=lambda: self.now,
            claim=LedgerCare(self.database).claim,
            owner=name,
        )

    def later(self, time: timedelta) -> None:
        """Let time pass, for the leases, too."""
        self.now += time
        with self.database.begin() as connection:
            connection.exec_driver_sql("UPDATE leases SET until = 0")

    def events(self) -> list[tuple[str, str]]:
        """Return what the colony was told: type and feature."""
        with self.ledger.begin(write=False) as transaction:
            found = [event for event, _ in transaction.outbox.list() if event.type.startswith("feature")]
        return [(event.type, str(event.data["feature"])) for event in found]

    def pass_timers(self) -> None:
        """Let the timers turn once."""
        Timers(self.ledger, lambda: {"watched": self.spec}, lambda: self.policy, lambda: self.now).turn()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give quiet weeks, one in which `left` has moved, and one in which it stays there."""
    world = World(tmp_path)
    days = (FIRST - START).days
    fill(world.store, range(days - 14, days))
    fill(world.store, range(days, days + 14), shift=8)
    yield world
    world.store.close()
    world.ledger.close()


def test_each_window_is_looked_at_once(world: World) -> None:
    """One worker looks at the newest window that has ended; a second, and one that begins again, find it done."""
    first, second = world.worker("a"), world.worker("b")
    assert [first.turn(), second.turn(), first.turn()] == [1, 0, 0]
    world.later(DAY)
    assert [second.turn(), world.worker("c").turn()] == [0, 0]
    world.later(6 * DAY)
    assert [first.turn(), second.turn()] == [1, 0]
    assert world.events() == [("feature.drifted", "left")]
    with world.ledger.begin(write=False) as transaction:
        assert [len(transaction.features.history(name, limit=9)) for name in ("left", "colour", "label")] == [2, 2, 2]


def test_a_finding_is_over_with_the_next_clean_window(world: World) -> None:
    """What moved and stays there is usual a week later."""
    watch = world.worker()
    seen = []
    for _ in range(3):
        watch.turn()
        with world.ledger.begin(write=False) as transaction:
            seen.append([(one.feature, [f.kind for f in one.found]) for one in transaction.features.open_findings()])
        world.later(WEEK)
    assert seen == [[], [("left", ["drifted"])], []]


def test_what_is_old_is_forgotten(world: World) -> None:
    """Profiles are kept for as long as is asked, two windows at least."""
    group = replace(GROUP, spec=GROUP.spec.model_copy(update={"keep": 2 * WEEK}))
    watch = world.worker("a", group)
    for _ in range(4):
        watch.turn()
        world.later(WEEK)
    with world.ledger.begin(write=False) as transaction:
        assert len(transaction.features.history("left", limit=9)) == 3


def test_a_faulty_group_does_not_stop_the_others(world: World) -> None:
    """What cannot be looked at is told as a fault; a group without `every` is left alone."""

    class Broken(FeatureGroup):
        def of(self, definitions: object) -> list[object]:  # type: ignore[override]  # noqa: ARG002
            raise TryLater("the store is away")

    groups = (replace(Broken("other", GROUP.spec)), replace(GROUP, name="idle", spec=FeatureMonitorSpec()), GROUP)
    with pytest.raises(TryLater, match="in other: the store is away"):
        world.worker("a", *groups).turn()
    with world.ledger.begin(write=False) as transaction:
        taken = [transaction.schedules.last(occurrence(name)) for name in ("other", "idle", "things")]
    assert taken == [None, None, FIRST]


def _decisions(world: World) -> list[tuple[str, str]]:
    with world.ledger.begin(write=False) as transaction:
        return [(one.action, one.reason) for one in transaction.decisions.list()]


def test_a_finding_opens_an_incident_where_the_policy_says_so(world: World) -> None:
    """The report fits its schema, is decided and journaled as an evaluation is, and asks for one run if told twice."""
    world.policy = Policy(features=FeatureRule(trigger=("drifted",)))
    watch = world.worker()
    watch.turn()
    assert (world.told, _decisions(world)) == ([], [])
    world.later(WEEK)
    watch.turn()
    (event,) = world.told
    jsonschema.validate(event.data, dict(catalogue()["feature.found"].schema))
    ((action, reason),) = _decisions(world)
    assert action == "trigger"
    assert reason.startswith("left: its values have moved: PSI")
    hand_over(event, None, world.consumer)
    assert len(_decisions(world)) == 1
    with world.ledger.begin(write=False) as transaction:
        incident = transaction.incidents.open_for("watched")
        run = transaction.runs.in_flight("watched")
    assert incident is not None
    assert run is not None
    assert (incident.state, run.incident_id) == (State.RETRAINING, incident.id)


def test_without_a_word_in_the_policy_nothing_is_reported(world: World) -> None:
    """The colony is told; no bee is."""
    watch = world.worker()
    watch.turn()
    world.later(WEEK)
    watch.turn()
    assert world.events() == [("feature.drifted", "left")]
    assert (world.told, _decisions(world)) == ([], [])


def test_a_bus_that_is_away_loses_no_report(world: World) -> None:
    """The window is told again, once in effect, as soon as the report can be taken."""
    world.policy = Policy(features=FeatureRule(trigger=("drifted",)))
    watch = world.worker()
    watch.turn()
    world.later(WEEK)
    world.away = True
    with pytest.raises(TryLater, match="the bus is away"):
        watch.turn()
    world.away = False
    world.later(timedelta(hours=2))
    assert watch.turn() == 1
    assert world.events() == [("feature.drifted", "left")]
    assert [action for action, _ in _decisions(world)] == ["trigger"]


def test_no_model_is_trained_on_a_broken_feature(world: World) -> None:
    """The same finding asks for a retrain and holds it back; when the next window is clean it begins by itself."""
    world.policy = Policy(features=FeatureRule(hold=("drifted",), trigger=("drifted",)))
    watch = world.worker()
    watch.turn()
    world.later(WEEK)
    watch.turn()
    ((action, reason),) = _decisions(world)
    assert action == "held"
    assert "never trained on a broken feature: left: its values have moved" in reason
    world.pass_timers()
    with world.ledger.begin(write=False) as transaction:
        incident = transaction.incidents.open_for("watched")
        assert transaction.runs.in_flight("watched") is None
    assert incident is not None
    held = [step for step in incident.story if step["what"] == "held"]
    assert [check["name"] for check in held[0]["checks"] if check["outcome"] == "held"] == ["features"]
    world.later(WEEK)
    watch.turn()
    world.pass_timers()
    with world.ledger.begin(write=False) as transaction:
        assert transaction.runs.in_flight("watched") is not None


def test_a_bee_that_reads_what_is_made_of_it_is_told(world: World) -> None:
    """A computed feature is as broken as what it is made of, told under the name of that; other bees are left alone."""
    from worker.features.port import Definition

    world.store.define(Definition("twice", "thing", "number", source="computed", computation="left * 2"))
    world.policy = Policy(features=FeatureRule(trigger=("drifted",)))
    world.spec = bee().model_copy(update={"features": ("twice",)})
    watch = world.worker()
    watch.turn()
    world.later(WEEK)
    watch.turn()
    assert [event.data["feature"] for event in world.told] == ["left"]
    world.spec = bee().model_copy(update={"features": ("colour",)})
    world.told.clear()
    world.later(WEEK)
    watch.turn()
    assert world.told == []


def test_the_longest_name_fits_the_ledger() -> None:
    """A file's name may be long; the ledger's column takes it."""
    assert occurrence("user") == "features/user"
    assert len(occurrence("x" * 200)) <= 63

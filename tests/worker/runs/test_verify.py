"""The loop over rollouts under way, on a real ledger and a real feature store."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.worker.rollout.rolled import DAY, START, Files, bee, fill, outcomes, store_in, version
from tests.worker.world import event_types, new_ledger
from worker.bee import BeeSpec
from worker.decide.policy import Policy
from worker.errors import TryLater
from worker.features.port import Write
from worker.models.port import Deployment
from worker.rollout.machine import Move, Rollout, State
from worker.rollout.outcomes import Outcomes, Paired
from worker.rollout.scoring import Pair, Scorers
from worker.runs.pace import ANYHOW, EVERY
from worker.runs.rollout import active, begin
from worker.runs.trial import rollout_of
from worker.runs.verify import Looked, Verifier

BEE = "rolled"
STEPS = [{"percent": percent, "minTime": "1d", "minOutcomes": 40} for percent in (10, 50, 100)]
#: All labels in a few hundred rows are needed to prove no more than five in a hundred.
PLAN = {"strategy": "canary", "steps": STEPS, "margin": 0.2, "limit": "5d"}


@dataclass
class World:
    """A ledger with champion 1, a store with labels, and a clock that is set by hand."""

    directory: Path
    now: datetime = START
    files: Files = field(default_factory=Files)
    away: bool = False
    bees: dict[str, BeeSpec] = field(default_factory=lambda: {BEE: bee(rollout=PLAN)})

    def __post_init__(self) -> None:
        self.ledger = new_ledger(self.directory)
        self.store = store_in(self.directory)
        with self.ledger.begin() as transaction:
            transaction.models.add(replace(version("1", 5), state="deployed"))
            transaction.models.deploy(Deployment(BEE, 1, "1", None, START, "first", None))

    def challenge(self, threshold: float = 5, number: str = "2", **plan: Any) -> Rollout:
        """Begin the rollout of a version."""
        spec = bee(rollout={**PLAN, **plan})
        self.bees[BEE] = spec
        with self.ledger.begin() as transaction:
            transaction.lock([BEE])
            transaction.models.add(version(number, threshold))
            return begin(version(number, threshold), spec, spec.rollout, transaction, self.now, reason="a test")

    def worker(self) -> Verifier:
        """Return a worker's loop, which has seen nothing yet."""
        reader = outcomes(self.store, self.files)

        def asked() -> Outcomes:
            if self.away:
                raise TryLater("the feature store is away")
            return reader

        return Verifier(self.ledger, lambda: self.bees, Policy, asked, lambda: self.now)

    def rollout(self) -> Rollout | None:
        """Return the one that is under way."""
        with self.ledger.begin(write=False) as transaction:
            return rollout_of(transaction, BEE)

    def served(self) -> dict[str, int]:
        """Return what serves whom."""
        with self.ledger.begin(write=False) as transaction:
            champion = transaction.models.champion(BEE)
        assert champion is not None
        return dict(champion.traffic.shares)


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.store.close()
    world.ledger.close()


def days(world: World, worker: Verifier, count: int, **how: Any) -> list[dict[str, int]]:
    """Let days pass, the labels of each known at its end; return what was served after each."""
    served = []
    for _ in range(count):
        day = (world.now - START) // DAY
        fill(world.store, range(day, day + 1), **how)
        world.now += DAY
        worker.turn()
        served.append(world.served())
    return served


def test_outcomes_take_a_good_version_through_its_steps(world: World) -> None:
    """Step by step as labels come in, to all of the traffic: then it is the champion, and the world is told."""
    world.challenge()
    worker = world.worker()
    assert world.served() == {"2": 10, "1": 90}
    assert days(world, worker, 4, per_day=24) == [
        {"2": 10, "1": 90},  # 24 outcomes of 40
        {"2": 50, "1": 50},
        {"2": 50, "1": 50},
        {"2": 100, "1": 0},
    ]
    assert days(world, worker, 2, per_day=24)[-1] == {"2": 100}
    assert world.rollout() is None
    assert event_types(world.ledger, BEE) == [
        "model.rollout.started",
        "model.rollout.advanced",
        "model.rollout.advanced",
        "model.deployed",
    ]


def test_a_worse_version_goes_back_at_once(world: World) -> None:
    """As soon as the rows prove it, whatever the step's minimum of time says; the numbers are kept."""
    fill(world.store, range(30), per_day=24)
    world.challenge(threshold=9)
    world.now += 0.9 * DAY
    worker = world.worker()
    while world.rollout() is not None:
        assert world.now < START + 20 * DAY
        world.now += DAY / 10
        worker.turn()
    assert world.served() == {"1": 100}
    assert world.now < START + 8 * DAY
    with world.ledger.begin(write=False) as transaction:
        (told,) = [event for event, _ in transaction.outbox.list(bee=BEE) if event.type == "model.rolled_back"]
    evidence = told.data["rollout"]["evidence"]
    assert (evidence["metric"], evidence["champion"]) == ("accuracy", 1.0)
    assert evidence["upper"] < 0
    assert evidence["count"] > 0


def test_without_labels_it_is_held_at_its_limit(world: World) -> None:
    """It never advances by itself: at the limit a person is asked, and evidence that comes later lets it go on."""
    world.challenge()
    worker = world.worker()
    worker.turn()
    world.now += 5 * DAY - EVERY
    worker.turn()
    running = world.rollout()
    assert running is not None
    assert running.state is State.RUNNING
    world.now += EVERY
    worker.turn()
    held = world.rollout()
    assert held is not None
    assert held.state is State.HELD
    assert world.served() == {"2": 10, "1": 90}
    fill(world.store, range(4), per_day=24, known_after=5 * DAY)
    world.now += 5 * DAY
    worker.turn()
    assert world.served() == {"2": 50, "1": 50}


def test_any_worker_concludes_the_same(world: World) -> None:
    """Looks at the same time by workers that know nothing of each other change things once."""
    world.challenge()
    fill(world.store, range(3), per_day=24)
    world.now += 3 * DAY
    assert [world.worker().turn() for _ in range(3)] == [1, 0, 0]
    assert world.served() == {"2": 50, "1": 50}
    with world.ledger.begin(write=False) as transaction:
        assert [one.epoch for one in transaction.models.deployments(BEE)] == [1, 2, 3]


def test_a_store_that_is_away_is_waited_for(world: World) -> None:
    """A bee whose labels cannot be read now is told as a fault; nothing of it changes, and the limit is not reached."""
    world.challenge()
    worker = world.worker()
    world.away = True
    world.now += 10 * DAY
    with pytest.raises(TryLater, match=r"rolled.*away"):
        worker.turn()
    rollout = world.rollout()
    assert rollout is not None
    assert rollout.state is State.RUNNING


@dataclass
class PartlyAway:
    """Outcomes of which one bee's cannot be read now."""

    real: Outcomes
    away: str

    @property
    def scorers(self) -> Scorers:
        """The real ones."""
        return self.real.scorers

    def paired(self, pair: Pair, as_of: datetime, *, fresh: bool = False) -> Paired:
        """Read, or be away."""
        if pair.bee.bee == self.away:
            raise TryLater("its store is away")
        return self.real.paired(pair, as_of, fresh=fresh)


def test_one_bee_s_fault_does_not_stop_the_others(world: World) -> None:
    """Of two bees the one whose labels are away is told as a fault, and the other one's rollout goes on."""
    other = bee(bee="another", rollout=PLAN)
    world.challenge()
    with world.ledger.begin() as transaction:
        for number in ("1", "2"):
            transaction.models.add(replace(version(number, 5), bee="another"))
        transaction.models.deploy(Deployment("another", 1, "1", None, START, "first", None))
        challenger = replace(version("2", 5), bee="another")
        begin(challenger, other, other.rollout, transaction, world.now, reason="a test")
    world.bees["another"] = other
    fill(world.store, range(3), per_day=24)
    world.now += 3 * DAY
    for away, moved in (("another", BEE), (BEE, "another")):
        reader: Any = PartlyAway(outcomes(world.store, world.files), away)
        worker = Verifier(world.ledger, lambda: world.bees, Policy, lambda reader=reader: reader, lambda: world.now)
        with pytest.raises(TryLater, match=f"the rollout of {away}: its store is away"):
            worker.turn()
        with world.ledger.begin(write=False) as transaction:
            rollout = rollout_of(transaction, moved)
        assert rollout is not None
        assert rollout.step == 1


def test_a_version_whose_file_is_gone_is_held_in_the_end(world: World) -> None:
    """It has no rows to go by, which each look says."""
    world.challenge(threshold=7)
    world.files.gone.add("mem://7")
    looked = world.worker().look(BEE, world.now + DAY)
    assert looked is not None
    assert "gone" in looked.fault
    assert looked.conclusion.move is Move.WAIT
    world.now += 6 * DAY
    worker = world.worker()
    worker.turn()
    held = world.rollout()
    assert held is not None
    assert held.state is State.HELD


def test_it_is_not_looked_at_where_nothing_can_have_changed(world: World) -> None:
    """Within a minute never, later only with new labels, at a time that is due, after a change, or after an hour."""
    fill(world.store, range(2), per_day=24)
    world.challenge()
    worker = world.worker()

    def looked() -> bool:
        before = _newest(world)
        worker.turn()
        return _newest(world) != before

    world.now += DAY / 2
    assert [looked(), looked()] == [True, False]
    world.now += EVERY / 2
    assert not looked()
    world.now += EVERY
    assert not looked()
    world.store.write([Write("new", "label", 1.0, world.now, world.now)])
    assert looked()
    world.now += EVERY / 2
    world.store.write([Write("newer", "label", 1.0, world.now, world.now)])
    assert not looked()
    world.now += EVERY / 2
    assert looked()
    world.now += ANYHOW
    assert looked()
    rollout = world.rollout()
    assert rollout is not None
    world.now = rollout.step_at + rollout.at_step.min_time
    assert looked()


def _newest(world: World) -> datetime | None:
    rollout = world.rollout()
    return rollout.newest.as_of if rollout and rollout.newest else None


def test_looking_back_in_time_changes_nothing(world: World) -> None:
    """A look by what was known earlier than the step began, or than the last look, takes nothing on."""
    fill(world.store, range(10), per_day=24)
    world.challenge()
    worker = world.worker()
    worker.look(BEE, START + 3 * DAY)
    before = world.rollout()
    for back in (START, START + 2 * DAY, START + 3 * DAY):
        looked = worker.look(BEE, back)
        assert looked is not None
        assert looked.conclusion.move is Move.WAIT
    after = world.rollout()
    assert before is not None
    assert after is not None
    assert (after.step, after.step_at, world.served()) == (before.step, before.step_at, {"2": 50, "1": 50})


def test_what_is_concluded_is_concluded_from_rows_read_anew(world: World) -> None:
    """Features that were filled in after a row was scored count when it matters."""
    spec = {"respectKnownAt": False, "rollout": PLAN}
    world.challenge(threshold=5)
    world.bees[BEE] = bee(**spec)
    rows = [(f"t{number}", START + number * timedelta(minutes=20)) for number in range(60)]
    for thing, time in rows:
        world.store.write([Write(thing, "left", 5.0, time, time), Write(thing, "label", 1.0, time, time)])
    worker = world.worker()
    first = worker.look(BEE, START + 0.9 * DAY)
    assert first is not None
    assert first.evidence.primary.challenger == 1.0
    for thing, time in rows[:30]:
        world.store.write([Write(thing, "left", 0.0, time, START + DAY)])
    second = worker.look(BEE, START + 1.1 * DAY)
    assert second is not None
    assert second.conclusion.move is Move.ADVANCE
    assert second.evidence.primary.challenger == 0.5


def test_a_rollout_that_was_ended_beside_it_is_let_alone(world: World) -> None:
    """Production that was changed by hand ends the rollout; the loop undoes nothing of it."""
    world.challenge()
    fill(world.store, range(3), per_day=24)
    with world.ledger.begin() as transaction:
        current = transaction.models.champion(BEE)
        assert current is not None
        transaction.models.deploy(Deployment(BEE, current.epoch + 1, "1", None, world.now, "by hand", None))
    world.now += 3 * DAY
    world.worker().turn()
    assert world.rollout() is None
    assert world.served() == {"1": 100}


def test_a_bee_that_is_not_configured_any_more_is_left_out(world: World) -> None:
    """Its rollout stays as it is, and nothing breaks."""
    world.challenge()
    world.bees.clear()
    world.now += 10 * DAY
    assert world.worker().turn() == 0
    assert world.worker().next_due(world.now) is None
    with world.ledger.begin(write=False) as transaction:
        assert active(transaction, BEE) is not None


def test_a_replay_looks_when_time_takes_it_on(world: World) -> None:
    """At the step's minimum, at its limit, and every whole day in between."""
    world.now = START + timedelta(hours=5)
    world.challenge()
    worker, at, times = world.worker(), world.now, []
    for _ in range(4):
        found = worker.next_due(at)
        assert found is not None
        at = found
        times.append(at - START)
    hours = [DAY, DAY + timedelta(hours=5), 2 * DAY, 3 * DAY]
    assert times == hours
    looks: list[Looked] = worker.looks()
    assert [one.before.bee for one in looks] == [BEE]


def test_what_was_stored_late_is_seen_within_the_hour(world: World) -> None:
    """A row's features that came in after it was scored, as of before, count from the next look at all rows anew."""
    world.challenge(threshold=5)
    world.bees[BEE] = bee(respectKnownAt=False, rollout={**PLAN, "margin": 0.9})
    rows = [(f"t{number}", START + number * timedelta(minutes=10)) for number in range(30)]
    for thing, time in rows:
        world.store.write([Write(thing, "left", 5.0, time, time), Write(thing, "label", 1.0, time, time)])
    worker, seen = world.worker(), []
    for passed in (DAY / 2, EVERY, ANYHOW):
        world.now += passed
        worker.turn()
        rollout = world.rollout()
        assert rollout is not None
        assert rollout.newest is not None
        seen.append(rollout.newest.primary.challenger)
        for thing, time in rows[:15]:
            world.store.write([Write(thing, "left", 0.0, time, world.now)])
    assert seen == [1.0, 1.0, 0.5]

"""A test from its run to its end: who is served by what, the versions' states, and what is told."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.worker import world
from tests.worker.abtest.world import (
    BEE,
    DAY,
    HOUR,
    START,
    VERSIONS,
    arrive,
    judge_of,
    plan,
    serve,
    store_in,
    version,
    visitors,
)
from tests.worker.runs.colony import Colony
from worker.abtest.encoding import seen_of
from worker.adapters.features.local import LocalFeatureStore
from worker.adapters.ledger.sql import SqlLedger
from worker.bee import BeeSpec
from worker.engine.state import Status
from worker.errors import Conflict, TryLater
from worker.models.port import Deployment
from worker.models.trials import Trial
from worker.runs.ab_test import begin, stop
from worker.runs.ab_test import test_id as id_of
from worker.runs.ab_watch import AbWatch
from worker.runs.lifecycle import Run, Verdict, run_id
from worker.runs.request import request_run

FORECAST = {"metric": "accuracy", "requiredSample": {"fixed": [50, 50], "sequential": [90, 90]}, "planned": [50, 50]}


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    opened = store_in(tmp_path / "features")
    yield opened
    opened.close()


class Lab:
    """A colony with one bee, version 1 in production, and the loop over its tests."""

    def __init__(self, ledger: SqlLedger, store: LocalFeatureStore, bee: BeeSpec = BEE) -> None:
        self.ledger = ledger
        self.bees = {bee.bee: bee}
        self.colony = Colony(ledger, bees=self.bees, now=START)
        self.watch = AbWatch(ledger, lambda: self.bees, lambda: judge_of(store), lambda: self.colony.now)
        with ledger.begin() as transaction:
            for one in VERSIONS.values():
                transaction.models.add(replace(one, state="deployed" if one.version == "1" else "registered"))
            transaction.models.add(version("bad", gate_passed=False, state="refused"))
            transaction.models.deploy(Deployment(bee.bee, 1, "1", None, START - DAY, "set up", None))

    def ask(self, key: str = "k", **changes: Any) -> Run:
        """Drive a planning run to its end."""
        asked = plan(**changes)
        id_ = run_id("ab-test", BEE.bee, self.ledger.installation, key)
        run = Run(id_, "ab-test", BEE.bee, "manual", "a test", self.colony.now, self.colony.now, loop=False)
        with self.ledger.begin() as transaction:
            request_run(run, transaction, self.colony.now)
        self.colony._advance()
        told = {"plan": asked.as_json(), "forecast": FORECAST}
        left = world.outcome(run.id, bee=BEE.bee, verdict="completed", challenger=None, gate={}, abTest=told)
        self.colony.outcomes.put(run.id, left)
        self.colony.engine.end(run.id, Status.SUCCEEDED, None)
        self.colony._advance()
        return world.get_run(self.ledger, run.id)

    def later(self, hours: float) -> int:
        """Let time pass and the loop turn once."""
        self.colony.now += hours * HOUR
        return self.watch.turn()

    @property
    def trial(self) -> Trial:
        """The newest test."""
        with self.ledger.begin(write=False) as transaction:
            return list(transaction.trials.list(BEE.bee))[-1]

    @property
    def live(self) -> Deployment:
        """What is served."""
        with self.ledger.begin(write=False) as transaction:
            found = transaction.models.champion(BEE.bee)
        assert found is not None
        return found

    def states(self) -> dict[str, str]:
        """Return version -> state."""
        with self.ledger.begin(write=False) as transaction:
            return {one.version: one.state for one in transaction.models.versions(BEE.bee)}

    def events(self) -> list[str]:
        """Return the types of what was told of tests and models."""
        with self.ledger.begin(write=False) as transaction:
            told = [event.type for event, _ in transaction.outbox.list(bee=BEE.bee)]
        return [one for one in told if not one.startswith("pipeline")]


@pytest.fixture(name="lab")
def _lab(ledger: SqlLedger, store: LocalFeatureStore) -> Lab:
    return Lab(ledger, store)


def test_from_its_run_to_its_end(lab: Lab, store: LocalFeatureStore) -> None:
    """A settled run divides the traffic; outcomes come, the better version is found, and the champion is back."""
    run = lab.ask()

    assert (run.verdict, lab.trial.id) == (Verdict.COMPLETED, id_of(run.id))
    assert lab.live.traffic.shares == {"1": 50, "2": 50}
    assert (lab.live.version, lab.live.traffic.salt) == ("1", lab.trial.id)
    assert lab.states()["2"] == "challenger"

    who = visitors(600, START, 2 * DAY)
    arrive(store, who)
    serve(store, who, lab.live.traffic)
    assert lab.later(5) == 0, "no look is due yet"
    looks = [lab.later(hours) for hours in (1, *[6] * 7)]

    assert lab.trial.state == "concluded"
    assert 1 <= sum(looks) < 8, "it ended as soon as it was decided"
    assert lab.live.traffic.shares == {"1": 100}
    assert lab.states() == {"1": "deployed", "2": "registered", "3": "registered", "bad": "refused"}
    assert lab.events() == ["ab_test.started", "ab_test.concluded"]
    (ended,) = lab.colony.events("ab_test.concluded", BEE.bee)
    assert ended["winner"] == "2"
    assert ended["effects"][0]["lower"] > 0
    assert lab.live.numbers["difference"] == ended["effects"][0]["difference"]
    assert lab.later(6) == 0


def test_a_worker_that_was_away(lab: Lab, store: LocalFeatureStore) -> None:
    """Missed looks are made up for one by one, as of when they were due: the same end as with a worker awake."""
    lab.ask(exposure="assigned")
    arrive(store, visitors(600, START, 2 * DAY))
    lab.colony.now = START + 9 * DAY
    while lab.watch.turn():
        pass

    assert lab.trial.state == "concluded"
    assert seen_of(lab.trial)["results"]["asOf"] < "2024-03-03"
    assert lab.live.at == START + 9 * DAY


def test_another_test_at_the_same_time(lab: Lab) -> None:
    """A second test of a bee is refused, and the run says why; what is served stays as it is."""
    lab.ask()
    second = lab.ask("other", versions=["1", "3"])

    assert second.verdict is Verdict.REJECTED
    assert "A/B test is under way" in str((second.outcome or {})["reason"])
    assert lab.live.traffic.shares == {"1": 50, "2": 50}


@pytest.mark.parametrize(("versions", "words"), [(["1", "9"], "no version 9"), (["1", "bad"], "not passed its gate")])
def test_versions_that_may_not_be_tried(lab: Lab, versions: list[str], words: str) -> None:
    """What is not registered, or passed no gate, is never served."""
    run = lab.ask(versions=versions)

    assert run.verdict is Verdict.REJECTED
    assert words in str((run.outcome or {})["reason"])
    assert lab.live.epoch == 1


def test_a_forced_version(lab: Lab) -> None:
    """A version without a passed gate is tried where a person's reason is recorded, and that is shown."""
    with lab.ledger.begin() as transaction:
        transaction.models.set_state(BEE.bee, "bad", "refused", forced="we must know")
    lab.ask(versions=["1", "bad"])

    assert lab.live.traffic.shares == {"1": 50, "bad": 50}
    (begun,) = lab.colony.events("ab_test.started", BEE.bee)
    assert begun["forced"] == {"bad": "we must know"}


def test_settled_twice(lab: Lab) -> None:
    """The same run again is the same test: killed before it was recorded, it divides the traffic once."""
    run = lab.ask()
    with lab.ledger.begin() as transaction:
        again = begin(run, {"plan": plan().as_json(), "forecast": FORECAST}, transaction, lab.colony.now + DAY)

    assert again == lab.trial
    assert lab.live.epoch == 2


def test_a_broken_split(lab: Lab, store: LocalFeatureStore) -> None:
    """A test whose visitors do not come by its split is stopped at the next look."""
    lab.ask()
    who = visitors(300, START, 5 * HOUR)
    traffic = lab.live.traffic
    serve(store, [one for one in who if traffic.version_for(one[0]) == "2"], traffic)
    lab.later(6)

    assert lab.trial.state == "stopped_srm"
    assert lab.live.traffic.shares == {"1": 100}
    assert lab.events()[-1] == "ab_test.stopped"


def test_production_changes_beside_it(lab: Lab) -> None:
    """A change of production ends the test at once, and is not undone by its end."""
    lab.ask()
    with lab.ledger.begin() as transaction:
        transaction.models.deploy(replace(lab.live, epoch=3, version="3", previous="1", divided=None, reason="by hand"))
        transaction.models.set_state(BEE.bee, "3", "deployed")
    lab.later(0.1)

    assert (lab.trial.state, lab.live.version, lab.live.epoch) == ("superseded", "3", 3)
    assert lab.states()["2"] == "registered"


def test_evaluations_meanwhile(lab: Lab) -> None:
    """Evaluations of versions that are tried change nothing; what the champion's ask for waits for the test's end."""
    lab.ask()
    tried = lab.colony.evaluate(BEE.bee, modelVersion="2")
    own = lab.colony.evaluate(BEE.bee)

    assert (tried["action"], own["action"]) == ("none", "held")
    assert "an A/B test is under way" in own["reason"]
    assert lab.trial.active
    assert lab.live.traffic.shares == {"1": 50, "2": 50}


def test_by_hand(lab: Lab) -> None:
    """A person stops it once, with a reason; again is a conflict."""
    lab.ask()
    with lab.ledger.begin() as transaction:
        stop(lab.trial.id, "ann", "enough", transaction, lab.colony.now)

    assert (lab.trial.state, lab.trial.active) == ("stopped", False)
    assert (lab.live.traffic.shares, lab.live.by) == ({"1": 100}, "ann")
    with lab.ledger.begin() as transaction, pytest.raises(Conflict, match="over already"):
        stop(lab.trial.id, "ann", "enough", transaction, lab.colony.now)


def test_nothing_can_be_read(lab: Lab, store: LocalFeatureStore) -> None:
    """Without a log the fault is told, and the test ends with its time."""
    lab.ask()
    for name in ("version", "prediction", "score", "served"):
        store.delete(f"ab_bee_{name}")
    lab.later(7)

    assert "nobody knows who was exposed" in seen_of(lab.trial)["fault"]
    assert lab.trial.active
    lab.later(10 * 24)
    assert lab.trial.state == "expired"
    assert lab.live.traffic.shares == {"1": 100}


def test_the_store_is_away(lab: Lab) -> None:
    """While evidence is away the test waits; it ends, some hours after its time, although it stays away."""

    def away() -> Any:
        raise TryLater("the feature store is away")

    lab.watch = replace(lab.watch, judge=away)
    lab.ask()
    for hours, state in ((7, "running"), (10 * 24 - 6, "running"), (6, "expired")):
        with pytest.raises(TryLater, match="is away"):
            lab.later(hours)
        assert lab.trial.state == state
    assert lab.live.traffic.shares == {"1": 100}


@pytest.mark.parametrize("strategy", ["immediate", "canary"])
def test_a_winner_that_is_promoted(ledger: SqlLedger, store: LocalFeatureStore, strategy: str) -> None:
    """With `promoteWinner` the winner goes into production as the bee's plan says; the same once in effect."""
    bee = BEE.model_copy(update={"rollout": BEE.rollout.model_copy(update={"strategy": strategy})})
    lab = Lab(ledger, store, bee)
    lab.ask(promoteWinner=True, exposure="assigned")
    arrive(store, visitors(600, START, 2 * DAY))
    lab.colony.now = START + 3 * DAY
    while lab.watch.turn():
        pass

    if strategy == "immediate":
        assert (lab.live.version, lab.live.traffic.shares) == ("2", {"2": 100})
        assert lab.events()[-1] == "model.deployed"
    else:
        assert (lab.live.version, lab.live.traffic.shares["2"]) == ("1", 10)
        assert lab.events()[-1] == "model.rollout.started"
    with lab.ledger.begin(write=False) as transaction:
        test = transaction.trials.list(BEE.bee)[0]
    assert "version 2" in test.detail["reason"]

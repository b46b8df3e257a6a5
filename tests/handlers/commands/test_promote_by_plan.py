"""Promotions and roll-backs by hand where the bee has a plan, or something is under way."""

from datetime import timedelta

import pytest

from handlers.commands.operator import Operator
from handlers.commands.promote_model import promote_model
from handlers.commands.rollback_model import rollback_model
from tests.handlers.commands.models import Shelf
from tests.worker import world
from tests.worker.world import BEE, NOW
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import Conflict, Rejected
from worker.models.port import Deployment
from worker.models.traffic import Traffic
from worker.models.trials import Trial, TrialKind
from worker.rollout.machine import Rollout, State
from worker.rollout.shown import newest_rollout
from worker.rollout_plan import RolloutSpec

PLANNED = BEE.model_copy(update={"rollout": RolloutSpec(strategy="canary")})
FILES = Shelf()


@pytest.fixture(name="live")
def _live(ledger: SqlLedger) -> SqlLedger:
    """Give a ledger with champion 1, versions 2 and 3 that passed their gates, and 4 that did not."""
    world.put_into_production(ledger)
    with ledger.begin() as transaction:
        transaction.models.add(world.version("2"))
        transaction.models.add(world.version("3"))
        transaction.models.add(world.version("4", state="refused", gate_passed=False))
    return ledger


def who(ledger: SqlLedger, hours: float = 0) -> Operator:
    """Return a person who acts so many hours later on a bee with a plan."""
    return world.operator(ledger, NOW + timedelta(hours=hours), {BEE.bee: PLANNED})


def served(ledger: SqlLedger) -> dict[str, int]:
    """Return who serves whom."""
    return dict(_newest(ledger).traffic.shares)


def _newest(ledger: SqlLedger) -> Deployment:
    with ledger.begin(write=False) as transaction:
        found = transaction.models.champion(BEE.bee)
    assert found is not None
    return found


def rollout(ledger: SqlLedger) -> Rollout:
    """Return the newest."""
    with ledger.begin(write=False) as transaction:
        found = newest_rollout(transaction.trials.list(BEE.bee))
    assert found is not None
    return found


def states(ledger: SqlLedger) -> dict[str, str]:
    """Return each version's state."""
    with ledger.begin(write=False) as transaction:
        return {one.version: one.state for one in transaction.models.versions(BEE.bee)}


def test_a_promotion_follows_the_plan(live: SqlLedger) -> None:
    """It begins a rollout at its first step, in the operator's name; again, or another, is a conflict meanwhile."""
    done = promote_model(who(live), BEE.bee, "2", FILES, reason="try it")
    assert dict(done.traffic.shares) == served(live) == {"2": 10, "1": 90}
    assert "ada" in rollout(live).reason
    assert states(live)["2"] == "challenger"
    assert world.event_types(live) == ["model.rollout.started"]
    for version in ("2", "3"):
        with pytest.raises(Conflict):
            promote_model(who(live), BEE.bee, version, FILES, reason="again")


def test_immediate_jumps_the_plan(live: SqlLedger) -> None:
    """Without a rollout the version serves everybody at once; who asked for it is kept."""
    done = promote_model(who(live), BEE.bee, "2", FILES, reason="now", immediate=True)
    assert (done.version, served(live), done.by) == ("2", {"2": 100}, "ada")
    assert world.event_types(live) == ["model.deployed"]


def test_immediate_ends_the_version_s_own_rollout_well(live: SqlLedger) -> None:
    """The version that is on its way is wholly in production, ahead of the evidence, recorded as such."""
    promote_model(who(live), BEE.bee, "2", FILES, reason="try it")
    promote_model(who(live, 1), BEE.bee, "2", FILES, reason="I have seen enough", immediate=True)
    assert (served(live), rollout(live).state) == ({"2": 100}, State.PROMOTED)
    assert "I have seen enough" in rollout(live).reason
    assert world.event_types(live) == ["model.rollout.started", "model.deployed"]


def test_immediate_stops_another_version_s_rollout(live: SqlLedger) -> None:
    """What was on its way is stopped, and another version serves everybody."""
    promote_model(who(live), BEE.bee, "2", FILES, reason="try it")
    promote_model(who(live, 1), BEE.bee, "3", FILES, reason="this one", immediate=True)
    assert (served(live), rollout(live).state) == ({"3": 100}, State.STOPPED)
    assert states(live) == {"1": "retired", "2": "registered", "3": "deployed", "4": "refused"}


def test_rolling_back_ends_a_rollout(live: SqlLedger) -> None:
    """The champion serves everybody again; the version is registered as before, the event names both."""
    promote_model(who(live), BEE.bee, "2", FILES, reason="try it")
    done = rollback_model(who(live, 1), BEE.bee, FILES, reason="users complain")
    assert (done.version, served(live), rollout(live).state) == ("1", {"1": 100}, State.STOPPED)
    assert states(live)["2"] == "registered"
    assert world.event_types(live)[-1] == "model.rolled_back"


def test_rolling_back_to_the_champion_by_name_ends_a_rollout(live: SqlLedger) -> None:
    """It is in production already, but not for everybody."""
    promote_model(who(live), BEE.bee, "2", FILES, reason="try it")
    assert rollback_model(who(live, 1), BEE.bee, FILES, reason="back", to_version="1").version == "1"
    with pytest.raises(Conflict):
        rollback_model(who(live, 2), BEE.bee, FILES, reason="back", to_version="1")


def test_rolling_back_further_stops_the_rollout_first(live: SqlLedger) -> None:
    """To a version from before the champion: the rollout is stopped, then production goes back."""
    promote_model(who(live), BEE.bee, "2", FILES, reason="now", immediate=True)
    promote_model(who(live, 1), BEE.bee, "3", FILES, reason="try it")
    rollback_model(who(live, 2), BEE.bee, FILES, reason="back to the first", to_version="1")
    assert (served(live), rollout(live).state) == ({"1": 100}, State.STOPPED)
    assert states(live) == {"1": "deployed", "2": "retired", "3": "registered", "4": "refused"}


def test_a_forced_version_follows_the_plan_too(live: SqlLedger) -> None:
    """By force it begins a rollout, which says so; only then it may be finished without force."""
    with pytest.raises(Rejected, match="gate"):
        promote_model(who(live), BEE.bee, "4", FILES, reason="sure")
    promote_model(who(live), BEE.bee, "4", FILES, reason="sure", force=True)
    assert (served(live), rollout(live).forced) == ({"4": 10, "1": 90}, "sure")
    promote_model(who(live, 1), BEE.bee, "4", FILES, reason="enough", immediate=True)
    assert served(live) == {"4": 100}
    rollback_model(who(live, 2), BEE.bee, FILES, reason="it was not")
    with pytest.raises(Rejected, match="gate"):
        promote_model(who(live, 3), BEE.bee, "4", FILES, reason="again")


def test_without_a_champion_there_is_nothing_to_compare_with(ledger: SqlLedger) -> None:
    """The first version goes into production at once, whatever the plan says."""
    with ledger.begin() as transaction:
        transaction.models.add(world.version("1"))
    promote_model(who(ledger), BEE.bee, "1", FILES, reason="the first")
    assert served(ledger) == {"1": 100}


def test_a_rollout_beside_which_production_was_changed_is_in_nobody_s_way(live: SqlLedger) -> None:
    """Going back then has today's meaning: to the champion's predecessor."""
    promote_model(who(live), BEE.bee, "2", FILES, reason="try it")
    with live.begin() as transaction:
        transaction.models.deploy(Deployment(BEE.bee, 3, "3", "1", NOW, "adopted", None))
    assert rollback_model(who(live, 1), BEE.bee, FILES, reason="back").version == "1"


def test_a_test_of_two_versions_is_not_promoted_over(live: SqlLedger) -> None:
    """While versions are tried on the traffic a promotion waits, plan or not; at once it may be done nevertheless."""
    split = Traffic((("2", 50), ("1", 50)), "t")
    with live.begin() as transaction:
        transaction.trials.save(Trial("t", BEE.bee, TrialKind.AB_TEST, "running", True, NOW, NOW))  # noqa: FBT003
        transaction.models.deploy(Deployment(BEE.bee, 2, "1", None, NOW, "a test", None, split))
    for operator in (who(live), world.operator(live)):
        with pytest.raises(Conflict, match="test"):
            promote_model(operator, BEE.bee, "3", FILES, reason="x")
    promote_model(who(live), BEE.bee, "3", FILES, reason="x", immediate=True)
    assert served(live) == {"3": 100}

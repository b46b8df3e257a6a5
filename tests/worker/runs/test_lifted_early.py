"""A bar of the whole colony that lifts before its time: who waited for it is judged again then, not later."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from tests.worker import world
from tests.worker.runs.colony import HOUR, Colony
from tests.worker.world import BEE, OTHER
from worker.bee import BeeSpec
from worker.decide.policy import Breaker, Budget, Policy, Retry
from worker.decide.policy import Colony as Shared
from worker.engine.state import Status
from worker.runs.lifecycle import Run, Verdict, concluded, run_id
from worker.runs.request import request_run

STRICT = Policy(colony=Shared(breaker=Breaker(failures=1, pause=9 * HOUR)), retry=Retry(backoff=timedelta(0)))
BAD = {"metrics": {"loss": 0.9}, "baseline": {"loss": 0.2}}


def _other_begins(colony: Colony) -> None:
    """Let the other bee have a run in flight."""
    world.put_into_production(colony.ledger, bee=OTHER.bee)
    assert colony.evaluate(OTHER.bee, **BAD)["action"] == "trigger"


def _usually_costs(colony: Colony, bee: BeeSpec, cost: float) -> None:
    """Leave a run behind that was settled long before."""
    id_ = run_id(bee.pipeline, bee.bee, colony.ledger.installation, "before")
    before = Run(id_, bee.pipeline, bee.bee, "manual", "before", colony.now, colony.now)
    with colony.ledger.begin() as transaction:
        request_run(before, transaction, colony.now)
        over = replace(before, status=Status.SUCCEEDED, cost=cost)
        transaction.runs.save(concluded(over, Verdict.REJECTED, None))


def test_a_success_that_closes_the_colonys_breaker_lets_the_others_go_on(colony: Colony) -> None:
    """A failure opens it for nine hours; a run that was under way deploys after one, and what waited begins."""
    colony.policy = STRICT
    _other_begins(colony)
    colony.evaluate()
    colony.refuse_run()
    assert colony.pass_time() == []
    waiting = colony.incident().waiting
    assert waiting is not None
    assert "the colony's circuit breaker is open until 2002-10-01T21:00:00Z" in waiting.why
    joined = colony.evaluate()
    assert joined["action"] == "attached"
    assert colony.pass_time(HOUR) == []

    colony.end_run(OTHER.bee)

    (run,) = colony.pass_time(timedelta(minutes=1))
    assert (run.bee, run.attempt) == (BEE.bee, 2)
    assert colony.now.isoformat() < "2002-10-01T21:00:00"


def test_an_evaluation_finds_the_closed_breaker_as_well(colony: Colony) -> None:
    """The next bad evaluation need not wait for the timers: the bar that held has gone."""
    colony.policy = STRICT
    _other_begins(colony)
    colony.evaluate()
    colony.refuse_run()
    colony.pass_time()
    colony.now += HOUR
    colony.end_run(OTHER.bee)

    said = colony.evaluate()

    assert said["action"] == "trigger"
    assert {rule["outcome"] for rule in said["rules"] if rule["name"] == "colony_breaker"} == {"off"}


def test_a_run_cheaper_than_thought_makes_room_in_the_colonys_budget(colony: Colony) -> None:
    """What another bee's run did not spend is there for the bee that waits, in the same month."""
    colony.policy = Policy(colony=Shared(budget=Budget(cost_per_month=Decimal(3))))
    _usually_costs(colony, OTHER, 2.0)
    _usually_costs(colony, BEE, 2.0)
    _other_begins(colony)
    said = colony.evaluate()
    assert "2.00 of 3.00 of the month are spent in the whole colony, this run would cost 2.00" in said["reason"]
    assert colony.pass_time(HOUR) == []

    colony.refuse_run(OTHER.bee)  # and it cost nothing

    (run,) = [one for one in colony.pass_time(timedelta(minutes=1)) if one.bee == BEE.bee]
    assert run.incident_id == colony.incident().id

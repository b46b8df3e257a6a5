"""What only waits for time: back-offs, bars, questions, silence."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.worker import world
from tests.worker.world import BEE, BEES, DAY, NOW, data, message
from worker.adapters.ledger.sql import SqlLedger
from worker.decide.memory import Pause
from worker.decide.policy import Approval, Budget, Colony, Policy, Retry
from worker.incidents import machine
from worker.incidents.machine import Incident, State
from worker.intake.receive import receive
from worker.runs.timers import Timers


@pytest.fixture(name="live")
def _live(ledger: SqlLedger) -> SqlLedger:
    world.put_into_production(ledger)
    return ledger


def _timers(ledger: SqlLedger, now: datetime, policy: Policy | None = None, bees: Any = BEES) -> Timers:
    return Timers(ledger, lambda: bees, lambda: policy or Policy(), lambda: now)


def _send(ledger: SqlLedger, policy: Policy, **changes: Any) -> Any:
    (item,) = receive([message("e1", data(**changes))], ledger, world.handlers(ledger, policy=policy), world.now_for)
    return item.result


def _incident(ledger: SqlLedger) -> Incident:
    with ledger.begin(write=False) as transaction:
        (found,) = transaction.incidents.list(BEE.bee)
    assert isinstance(found, Incident)
    return found


def _change(ledger: SqlLedger, change: Callable[[Incident], Incident]) -> None:
    with ledger.begin() as transaction:
        transaction.lock([BEE.bee])
        found = transaction.incidents.open_for(BEE.bee)
        assert found is not None
        transaction.incidents.save(change(found))


def test_a_paused_bee_retrains_when_the_pause_is_over(live: SqlLedger) -> None:
    """A trigger that a pause held back waits with its incident and begins once the pause has ended, not before."""
    with live.begin() as transaction:
        memory = transaction.memories.of(BEE.bee)
        pause = Pause("looking at it", "ann", NOW, NOW + DAY)
        transaction.memories.save(BEE.bee, replace(memory, pause=pause))

    held = _send(live, Policy())

    assert held["action"] == "held"
    assert "paused by ann (looking at it) until 2002-10-02T12:00:00Z" in held["reason"]
    assert _incident(live).state is State.OPEN
    assert _timers(live, NOW + DAY - timedelta(seconds=1)).turn() == 0
    assert _timers(live, NOW + DAY).turn() == 1
    run = world.only_run(live)
    assert (run.incident_id, run.attempt) == (_incident(live).id, 1)
    assert run.as_of == datetime.fromisoformat("2002-10-02T00:00:00+00:00")


def test_a_refused_retrain_is_tried_again_and_then_a_person_is_told(live: SqlLedger) -> None:
    """After the back-off comes the next attempt; when they are used up the incident is escalated, with an event."""
    policy = Policy(retry=Retry(limit=2, backoff=DAY))
    _send(live, policy)
    _settle_refused(live, policy, NOW)
    assert _incident(live).state is State.REFUSED
    assert _timers(live, NOW + DAY / 2, policy).turn() == 0
    assert _timers(live, NOW + DAY, policy).turn() == 1
    assert _incident(live).attempt == 2
    _settle_refused(live, policy, NOW + DAY)
    assert _incident(live).state is State.ESCALATED
    assert world.event_types(live)[-1] == "incident.escalated"
    assert _timers(live, NOW + 9 * DAY, policy).turn() == 0


def _settle_refused(ledger: SqlLedger, policy: Policy, now: datetime) -> None:
    """End the run in flight as refused, as *settle* does."""
    from worker.decide.course import Ending, ended
    from worker.engine.state import Status
    from worker.runs.follow import follow, look
    from worker.runs.lifecycle import Verdict, concluded

    with ledger.begin() as transaction:
        run = transaction.runs.in_flight(BEE.bee)
        assert run is not None
        transaction.runs.save(concluded(replace(run, status=Status.SUCCEEDED), Verdict.REJECTED, None))
        before, situation = look(BEE, policy, transaction, now, whole=True)
        after = ended(before, situation, Ending(State.REFUSED, "no better", run.id))
        follow(before, after, (), situation, transaction)


def test_the_budget_of_a_day_is_there_again_on_the_next(live: SqlLedger) -> None:
    """A trigger beyond the day's runs waits for the next UTC midnight."""
    policy = Policy(budget=Budget(runs_per_day=0))
    held = _send(live, policy)

    assert "0 of 0 runs of the day are used" in held["reason"]
    waiting = _incident(live).waiting
    assert waiting is not None
    assert waiting.until == datetime.fromisoformat("2002-10-02T00:00:00+00:00")
    assert _timers(live, waiting.until, Policy(budget=Budget(runs_per_day=1))).turn() == 1
    assert world.only_run(live).incident_id == _incident(live).id


def test_a_run_that_is_to_be_approved_waits_for_the_word(live: SqlLedger) -> None:
    """The question goes out once, with its end; the approved attempt begins at the next turn."""
    policy = Policy(approval=Approval(runs="always"))
    held = _send(live, policy)

    assert "waits for a person's approval" in held["reason"]
    assert world.event_types(live) == ["incident.opened", "approval.requested"]
    assert _timers(live, NOW + timedelta(hours=1), policy).turn() == 0
    _change(live, lambda incident: machine.approved(incident, "ann", NOW))
    assert _timers(live, NOW + timedelta(hours=1), policy).turn() == 1
    assert world.only_run(live).attempt == 1
    assert world.event_types(live).count("approval.requested") == 1


@pytest.mark.parametrize(("on_expiry", "state"), [("refuse", State.ESCALATED), ("approve", State.RETRAINING)])
def test_silence_on_a_question_means_what_the_policy_says(live: SqlLedger, on_expiry: Any, state: State) -> None:
    """A question that nobody answered ends as the policy says, at its time and not before."""
    policy = Policy(approval=Approval(runs="always", expires=DAY, on_expiry=on_expiry))
    _send(live, policy)

    _timers(live, NOW + DAY - timedelta(seconds=1), policy).turn()
    assert _incident(live).state is State.OPEN
    _timers(live, NOW + DAY, policy).turn()
    assert _incident(live).state is state


def test_with_room_for_one_run_the_other_bee_waits_for_its_end(live: SqlLedger) -> None:
    """The colony's limit of runs at once holds back, and what it held back begins when there is room."""
    world.put_into_production(live, bee="other-bee")
    policy = Policy(colony=Colony(runs=1))
    first = _send(live, policy)
    (item,) = receive(
        [message("e2", data(beeId="other-bee", metrics={"loss": 2.0}, baseline={"loss": 1.0}))],
        live,
        world.handlers(live, policy=policy),
        world.now_for,
    )

    assert (first["action"], (item.result or {})["action"]) == ("trigger", "held")
    assert "1 of 1 runs at once are in flight" in (item.result or {})["reason"]
    assert _timers(live, NOW + timedelta(minutes=1), policy).turn() == 0
    _settle_refused(live, policy, NOW)
    assert _timers(live, NOW + timedelta(minutes=2), policy).turn() == 1
    with live.begin(write=False) as transaction:
        assert transaction.runs.in_flight("other-bee") is not None


def test_a_bee_that_falls_silent_is_told_once(live: SqlLedger) -> None:
    """Evaluations that stop are an event, one for each silence."""
    quiet = {BEE.bee: BEE.model_copy(update={"expect_every": 7 * DAY})}
    _send(live, Policy(), metrics={"f1": 0.9})

    assert _timers(live, NOW + 7 * DAY, bees=quiet).turn() == 0
    assert _timers(live, NOW + 8 * DAY, bees=quiet).turn() == 1
    assert _timers(live, NOW + 9 * DAY, bees=quiet).turn() == 0
    assert world.event_types(live) == ["evaluation.missing"]


def test_a_run_beyond_the_budget_waits_for_the_next_month(live: SqlLedger) -> None:
    """What a run is thought to cost counts before it begins."""
    with live.begin() as transaction:
        memory = transaction.memories.of(BEE.bee)
        spent = replace(memory.tally, month="2002-10", cost=Decimal(10))
        transaction.memories.save(BEE.bee, replace(memory, tally=spent))
    policy = Policy(budget=Budget(cost_per_month=Decimal(10)))

    held = _send(live, policy)

    assert "10.00 of 10.00 of the month are spent" in held["reason"]
    assert _timers(live, datetime.fromisoformat("2002-11-01T00:00:00+00:00"), policy).turn() == 1

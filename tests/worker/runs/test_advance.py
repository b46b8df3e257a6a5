import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.worker import world
from tests.worker.runs.loop import Loop
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.engine.state import Status
from worker.errors import TryLater
from worker.runs.advance import Advancer
from worker.runs.lifecycle import Verdict
from worker.runs.port import EngineState


def test_nothing_to_do(loop: Loop) -> None:
    """Without runs a turn does nothing."""
    assert loop.advancer().turn() == 0


def test_from_request_to_settled(loop: Loop) -> None:
    """A run goes through every stage, and then is left alone."""
    run = loop.concluded(...)

    assert run.settled
    assert loop.advancer().turn() == 0


def test_one_runs_fault_does_not_stop_the_others(loop: Loop) -> None:
    """A run that trips over something unforeseen waits; the ones beside it go on."""
    first, second = world.ask_for_run(loop.ledger), world.ask_for_run(loop.ledger, bee="other-bee")
    loop.advancer().turn()
    loop.outcomes.put(first.id, ZeroDivisionError("unforeseen"))
    for run in (first, second):
        loop.engine.end(run.id, Status.SUCCEEDED)

    assert loop.advancer().turn() == 2

    assert not world.get_run(loop.ledger, first.id).settled
    assert world.get_run(loop.ledger, second.id).settled


def test_a_run_that_has_to_wait_is_not_asked_again_at_once(loop: Loop) -> None:
    """After TryLater a run rests, so that an engine that is away is not hammered."""
    world.ask_for_run(loop.ledger)
    loop.engine.error = TryLater("away")

    assert loop.advancer().turn() == 1
    assert loop.advancer().turn() == 0


def test_a_run_held_by_another_process_is_left_alone(loop: Loop) -> None:
    """What another process has leased is not touched."""
    run = world.ask_for_run(loop.ledger)
    loop.lease()

    assert loop.advancer("two").turn() == 0
    assert world.get_run(loop.ledger, run.id).status is Status.PENDING


@pytest.mark.parametrize("number", range(3))
def test_two_advancers_beside_each_other(loop: Loop, tmp_path: Path, number: int) -> None:
    """Two processes drive the same runs at the same time: each run is settled once, with one version and deployment."""
    runs = [world.ask_for_run(loop.ledger, f"k{number}"), world.ask_for_run(loop.ledger, "k", bee="other-bee")]
    for run in runs:
        loop.outcomes.put(run.id, world.outcome(run.id))
        loop.engine.states[run.id] = EngineState(Status.SUCCEEDED)
    other = SqlLedger(Database(f"sqlite:///{tmp_path}/ledger.db"))
    advancers = [loop.advancer("one"), loop.advancer("two", other)]
    failed: list[Exception] = []

    def drive(which: int) -> None:
        try:
            while True:
                with loop.ledger.begin(write=False) as transaction:
                    if not transaction.runs.unsettled():
                        return
                advancers[which].turn()
        except Exception as error:  # noqa: BLE001 - told to the test
            failed.append(error)

    threads = [threading.Thread(target=drive, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert not failed
    assert world.get_run(loop.ledger, runs[0].id).verdict is Verdict.DEPLOYED
    with loop.ledger.begin(write=False) as transaction:
        assert len(transaction.models.versions("spam-guard")) == 2
        assert len(transaction.models.deployments("spam-guard")) == 2
    assert sorted(world.event_types(loop.ledger)) == sorted(set(world.event_types(loop.ledger)))
    other.close()


def test_event_ids_are_stable(tmp_path: Path) -> None:
    """The same story on the same installation has the same event ids, whoever tells it and how often."""
    told = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        ledger = world.new_ledger(tmp_path / name)
        ledger.installation = "same"
        world.put_into_production(ledger)
        Loop(ledger).concluded(...)
        told.append(world.event_ids(ledger))
        ledger.close()

    assert told[0] == told[1]
    assert len(set(told[0])) == len(told[0]) == 5


def together(loop: Loop, now: datetime = world.NOW) -> Advancer:
    """Return an advancer that looks at all runs by the clock, each minute."""
    return replace(loop.advancer(), poll_s=60.0, together=True, clock=lambda: now)


def resume(loop: Loop) -> None:
    """Let every run be looked at now."""
    with loop.ledger.begin() as transaction:
        for run in transaction.runs.list():
            transaction.runs.look_now(run.id)


def test_one_glance_for_all_runs(loop: Loop) -> None:
    """Before runs are looked at one by one the engine is asked once for those that it has, and for no others."""
    first, second = world.ask_for_run(loop.ledger), world.ask_for_run(loop.ledger, bee="other-bee")
    advancer = together(loop)
    advancer.turn()
    assert loop.engine.glances == []
    resume(loop)
    loop.engine.end(first.id)
    loop.outcomes.put(first.id, TryLater("away"))
    advancer.turn()
    resume(loop)
    advancer.turn()

    assert [sorted(ids) for ids in loop.engine.glances] == [sorted([first.id, second.id]), [second.id]]


def test_an_engine_that_is_away_keeps_no_ended_run_waiting(loop: Loop) -> None:
    """While the engine is away what it has rests, what needs it no more is settled, and nothing is asked twice."""
    first, second = world.ask_for_run(loop.ledger), world.ask_for_run(loop.ledger, bee="other-bee")
    advancer = together(loop)
    advancer.turn()
    resume(loop)
    loop.engine.end(first.id)
    loop.outcomes.put(first.id, TryLater("the bucket is away"))
    advancer.turn()
    resume(loop)
    loop.engine.error = TryLater("the engine is away")
    loop.engine.states.clear()
    loop.outcomes.put(first.id, world.outcome(first.id))

    advancer.turn()

    assert world.get_run(loop.ledger, first.id).settled
    assert world.get_run(loop.ledger, second.id).status is Status.QUEUED


@pytest.mark.parametrize(("seconds", "rest_s"), [(0, 60), (1, 59), (59.5, 0.5)])
def test_runs_rest_until_the_clock_strikes(loop: Loop, seconds: float, rest_s: float) -> None:
    """Whenever a run was looked at, the next look at it is at a whole minute, with all others."""
    assert together(loop, world.NOW + timedelta(seconds=seconds))._rest_s() == rest_s
    assert replace(loop.advancer(), poll_s=0.2)._rest_s() == 0.2

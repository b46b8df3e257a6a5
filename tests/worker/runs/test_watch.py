from dataclasses import replace
from datetime import timedelta

import pytest

from tests.worker import world
from tests.worker.runs.loop import Loop
from tests.worker.world import NOW
from worker.engine.state import Status
from worker.errors import LeaseLost
from worker.runs.lifecycle import Verdict
from worker.runs.port import EngineState, StepState
from worker.runs.watch import Watcher


@pytest.mark.parametrize("status", [Status.PENDING, Status.QUEUED])
def test_waiting_is_not_running(loop: Loop, status: Status) -> None:
    """A run that the engine has not begun is queued, and nothing is announced."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    loop.engine.states[run.id] = EngineState(status)

    loop.advancer().turn()

    assert world.get_run(loop.ledger, run.id).status is Status.QUEUED
    assert world.event_types(loop.ledger) == ["pipeline.run.requested"]


def test_states_and_steps_are_mirrored(loop: Loop) -> None:
    """The engine's states are the ledger's: the run's, each step's, and the beginning is announced once."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    step = StepState("train", Status.RUNNING, 2, NOW, None, None, "fitting")
    for _ in range(2):
        loop.engine.states[run.id] = EngineState(Status.RUNNING, steps=(step,))
        loop.advancer().turn()

    with loop.ledger.begin(write=False) as transaction:
        assert transaction.runs.steps(run.id) == [step]
    assert world.get_run(loop.ledger, run.id).started_at == NOW
    assert world.event_types(loop.ledger) == ["pipeline.run.requested", "pipeline.run.started"]


def test_a_run_begins_with_its_first_step(loop: Loop) -> None:
    """A run that is seen late has begun when its first step did, unless a clock has that in the future."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    first, later = NOW - timedelta(seconds=2), NOW + timedelta(seconds=2)
    steps = (
        StepState("b", Status.RUNNING, 1, later),
        StepState("a", Status.RUNNING, 1, first),
        StepState("c", Status.QUEUED),
    )
    loop.engine.states[run.id] = EngineState(Status.RUNNING, steps=steps)

    loop.advancer().turn()

    assert world.get_run(loop.ledger, run.id).started_at == first


def test_a_run_cancelled_in_its_queue_never_began(loop: Loop) -> None:
    """Of a run that is cancelled before its first step no beginning is announced."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()

    after = loop.end(run, Status.CANCELLED)

    assert (after.status, after.started_at) == (Status.CANCELLED, None)
    assert world.event_types(loop.ledger) == ["pipeline.run.requested", "pipeline.run.cancelled"]


def test_what_holds_a_run_is_its_error(loop: Loop) -> None:
    """What keeps a run from going on is told while it lasts."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    for error in ("paused", None):
        loop.engine.states[run.id] = EngineState(Status.RUNNING, error)
        loop.advancer().turn()

        assert world.get_run(loop.ledger, run.id).error == error


def test_a_failure_keeps_its_reason(loop: Loop) -> None:
    """What the engine says of a failure is the run's error."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()

    after = loop.end(run, Status.FAILED, "step train: out of memory")

    assert (after.status, after.verdict, after.error) == (Status.FAILED, Verdict.FAILED, "step train: out of memory")
    assert world.event_types(loop.ledger)[-1] == "pipeline.run.failed"


def test_a_run_that_the_engine_lost_fails(loop: Loop) -> None:
    """A run that the engine does not know any more ends as failed and says so."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    loop.engine.states.clear()

    loop.advancer().turn()

    assert "does not know the run" in (world.get_run(loop.ledger, run.id).error or "")


def test_a_cancellation_is_passed_on(loop: Loop) -> None:
    """The engine is asked to cancel until it has, also when it does not know the run."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    with loop.ledger.begin() as transaction:
        transaction.runs.save(replace(world.get_run(loop.ledger, run.id), cancel_requested=True))

    loop.advancer().turn()
    loop.advancer().turn()
    assert loop.engine.cancelled == [run.id, run.id]

    after = loop.end(run, Status.CANCELLED)
    assert (after.status, after.verdict) == (Status.CANCELLED, Verdict.CANCELLED)


def test_a_lost_lease_writes_nothing(loop: Loop) -> None:
    """A process that was overtaken does not touch the run or its steps."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    old = loop.lease(lease_s=0)
    loop.lease()
    loop.engine.states[run.id] = EngineState(Status.RUNNING, steps=(StepState("a", Status.RUNNING),))

    with pytest.raises(LeaseLost):
        Watcher(loop.ledger, loop.engine).watch(old, run.id, cancel=False, now=NOW)

    with loop.ledger.begin(write=False) as transaction:
        assert not transaction.runs.steps(run.id)

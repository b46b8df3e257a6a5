"""What happens to a job behind our back is a failed attempt with its reason, and the incident goes on."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from tests.worker import world
from tests.worker.adapters.engine.vertex_colony import Colony, colony_in
from tests.worker.adapters.engine.vertex_server import Fault, State
from worker.engine.state import Status
from worker.errors import Rejected
from worker.incidents import machine
from worker.runs.lifecycle import Run, Verdict

DAY = timedelta(days=1)


@pytest.fixture(name="colony")
def _colony(tmp_path: Path) -> Iterator[Colony]:
    with colony_in(tmp_path) as colony:
        yield colony


def _mended(colony: Colony) -> Run:
    """Let the incident try again, and return that attempt, which deploys."""
    colony.vertex.full = False
    run = colony.pass_time(DAY)
    colony.settle()
    assert colony.incident().state is machine.State.DEPLOYED
    assert colony.run(run.id).verdict is Verdict.DEPLOYED
    return run


def _queued(colony: Colony, hours: float) -> Run:
    """Return a run whose job has waited for a place for so long."""
    colony.vertex.full = True
    run = colony.drift()
    colony.turn()
    colony.vertex.job(run.id).create_time = colony.now - timedelta(hours=hours)
    return run


def test_a_deleted_job(colony: Colony) -> None:
    """A job that somebody deleted is a failed attempt that says so; the next one mends the incident."""
    run = colony.drift()
    colony.turn()
    colony.vertex.forget(run.id)

    colony.settle()

    lost = colony.run(run.id)
    assert (lost.status, lost.verdict) == (Status.FAILED, Verdict.FAILED)
    assert "does not know the run" in (lost.error or "")
    assert colony.incident().state is machine.State.FAILED
    assert _mended(colony).attempt == 2


def test_a_run_that_stays_queued(colony: Colony) -> None:
    """After six hours in the queue a job is cancelled and its attempt has failed for that; the next deploys."""
    run = _queued(colony, 6.1)

    colony.settle()

    given_up = colony.run(run.id)
    assert (given_up.status, given_up.verdict) == (Status.FAILED, Verdict.FAILED)
    assert given_up.error == "cancelled by the worker: it waited for a place at the engine for 6h and more"
    assert colony.vertex.job(run.id).state == State.PIPELINE_STATE_CANCELLED
    assert "pipeline.run.started" not in world.event_types(colony.ledger)
    assert _mended(colony).attempt == 2


def test_a_run_that_is_queued_within_its_time(colony: Colony) -> None:
    """Until then a queued job is left in its queue, and no limit at all leaves it there for ever."""
    run = _queued(colony, 5.9)
    colony.turn()
    colony.longest_stall = None
    colony.vertex.job(run.id).create_time -= 100 * DAY
    colony.turn()

    assert colony.run(run.id).status is Status.QUEUED
    assert not colony.vertex.asked("CancelPipelineJob")


def test_giving_up_survives_a_lost_answer(colony: Colony) -> None:
    """Where the first cancellation's answer is lost, and the looks after it fail, the run is given up all the same."""
    run = _queued(colony, 7)
    colony.vertex.fail("CancelPipelineJob", Fault(grpc.StatusCode.RESOURCE_EXHAUSTED, after_effect=True))
    colony.vertex.fail("GetPipelineJob", *[Fault(grpc.StatusCode.RESOURCE_EXHAUSTED)] * 2)

    colony.settle()

    assert colony.run(run.id).status is Status.FAILED
    assert "waited for a place" in (colony.run(run.id).error or "")


def test_a_run_that_began_after_all(colony: Colony) -> None:
    """A job that succeeds in the very moment it was to be given up has succeeded."""
    run = _queued(colony, 7)

    def begin() -> None:
        colony.vertex.job(run.id).state = State.PIPELINE_STATE_PENDING
        colony.vertex.finish(run.id)

    colony.vertex.fail("CancelPipelineJob", Fault(grpc.StatusCode.FAILED_PRECONDITION, does=begin))
    colony.settle()

    assert colony.run(run.id).verdict is Verdict.DEPLOYED


def test_a_job_cancelled_by_somebody_else(colony: Colony) -> None:
    """A job that a person cancels on Google's side ends as cancelled: that is a person's will, and no failure."""
    run = colony.drift()
    colony.turn()
    colony.vertex.job(run.id).state = State.PIPELINE_STATE_CANCELLING

    colony.settle()

    assert (colony.run(run.id).status, colony.run(run.id).verdict) == (Status.CANCELLED, Verdict.CANCELLED)
    assert colony.incident().state is machine.State.OPEN


def test_a_paused_job(colony: Colony) -> None:
    """A paused job is told as the run's error while it lasts, and given up when it lasts too long."""
    run = colony.drift()
    colony.turn()
    job = colony.vertex.job(run.id)
    job.state, job.update_time = State.PIPELINE_STATE_PAUSED, colony.now
    colony.turn()
    assert "paused on Vertex AI" in (colony.run(run.id).error or "")

    job.state, job.update_time = State.PIPELINE_STATE_RUNNING, colony.now
    colony.turn()
    assert colony.run(run.id).error is None

    job.state, job.update_time = State.PIPELINE_STATE_PAUSED, colony.now - DAY
    colony.vertex.fail("CancelPipelineJob", Fault(grpc.StatusCode.RESOURCE_EXHAUSTED, after_effect=True))
    colony.turn()
    job.state = State.PIPELINE_STATE_CANCELLED
    colony.settle()
    assert colony.run(run.id).error == "cancelled by the worker: it was held at the engine for 6h and more"
    assert colony.run(run.id).verdict is Verdict.FAILED


@pytest.mark.parametrize("code", [grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT])
def test_cancelling_what_is_about_to_be_cancelled(colony: Colony, code: grpc.StatusCode) -> None:
    """A refused cancellation is no error where the job is about to be cancelled, and one where it goes on."""
    run = colony.drift()
    colony.turn()
    colony.vertex.fail("CancelPipelineJob", Fault(code))
    with pytest.raises(Rejected):
        colony.engine.cancel(run.id)

    colony.engine.cancel(run.id)
    colony.vertex.fail("CancelPipelineJob", Fault(code))
    colony.engine.cancel(run.id)

    assert len(colony.vertex.asked("CancelPipelineJob")) == 3

"""Whatever goes wrong with a call, before or after its effect: the end is that of an undisturbed run."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import pytest

from tests.worker import world
from tests.worker.adapters.engine.vertex_colony import Colony, colony_in
from tests.worker.adapters.engine.vertex_server import Fault
from tests.worker.adapters.engine.vertex_world import engine_at
from worker.engine.state import Status
from worker.runs.lifecycle import Run, Verdict, run_id

CODES = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL")
#: The installation's name is part of every id.
INSTALLATION = "here"


@pytest.fixture(name="colony")
def _colony(tmp_path: Path) -> Iterator[Colony]:
    with colony_in(tmp_path) as colony:
        colony.ledger.installation = INSTALLATION
        yield colony


@pytest.fixture(name="undisturbed", scope="module")
def _undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the end of a run that deployed and of one that was cancelled, with nothing in their way."""
    with colony_in(tmp_path_factory.mktemp("undisturbed")) as colony:
        colony.ledger.installation = INSTALLATION
        _story(colony)
        return colony.end_state()


def _story(colony: Colony) -> None:
    """Take one run to its end, and cancel another that would not end by itself."""
    first, second = colony.ask(), colony.ask("other-bee")
    colony.vertex.waiting.add(second.id)
    colony.until(lambda: colony.run(first.id).settled and colony.run(second.id).status is Status.RUNNING)
    _cancel(colony, second)
    colony.settle()


def _cancel(colony: Colony, run: Run) -> None:
    with colony.ledger.begin() as transaction:
        transaction.runs.save(replace(colony.run(run.id), cancel_requested=True))


def test_the_story_itself(undisturbed: dict[str, Any]) -> None:
    """Undisturbed, the one run deploys version 2 and the other ends as cancelled, each one job."""
    assert [(run[1], run[2]) for run in undisturbed["runs"]] == [
        (Status.SUCCEEDED, Verdict.DEPLOYED),
        (Status.CANCELLED, Verdict.CANCELLED),
    ]
    assert undisturbed["champions"] == {"spam-guard": "2", "other-bee": "1"}
    assert len(undisturbed["jobs"]) == 2


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("code", CODES)
def test_a_fault_at_every_call(colony: Colony, undisturbed: dict[str, Any], code: str, *, after_effect: bool) -> None:
    """The first Create, Get, List and Cancel each end in a status, and nothing of it is seen at the end."""
    colony.disturb(Fault(grpc.StatusCode[code], after_effect=after_effect))

    _story(colony)

    assert colony.end_state() == undisturbed
    assert not any(colony.vertex._faults.values())


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
def test_a_cut_connection_at_every_call(colony: Colony, undisturbed: dict[str, Any], *, after_effect: bool) -> None:
    """The connection is cut in the first Create, Get, List and Cancel, and nothing of it is seen at the end."""
    cuts: list[int] = []

    def cut() -> None:
        cuts.append(1)
        colony.proxy.cut()

    colony.disturb(Fault(after_effect=after_effect, does=cut))

    _story(colony)

    assert colony.end_state() == undisturbed
    assert len(cuts) == 4


def test_two_workers_that_take_each_others_runs(colony: Colony, undisturbed: dict[str, Any]) -> None:
    """Two workers, each of which takes every run from the other at any moment, leave one job and one end of each."""
    beside = replace(colony, engine=engine_at(colony.vertex.address))
    over = Event()

    def turn() -> int:
        turns = 0
        while not over.is_set():
            beside.turn()
            turns += 1
        return turns

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(turn)
        try:
            _story(colony)
        finally:
            over.set()
        assert other.result(timeout=30)
    beside.engine.close()

    assert without_steps(colony.end_state()) == without_steps(undisturbed)


def without_steps(state: dict[str, Any]) -> dict[str, Any]:
    """Return the end without the steps: which of them a cancellation found running depends on its moment."""
    return {name: value for name, value in state.items() if name != "steps"}


def test_an_answer_that_is_lost_for_good(colony: Colony, undisturbed: dict[str, Any]) -> None:
    """Vertex AI has made the job, but no answer ever came: the next turn finds its id taken by this very run."""
    colony.vertex.fail("CreatePipelineJob", Fault(grpc.StatusCode.RESOURCE_EXHAUSTED, after_effect=True))
    colony.vertex.fail("GetPipelineJob", *[Fault(grpc.StatusCode.RESOURCE_EXHAUSTED)] * 2)

    _story(colony)

    assert colony.end_state() == undisturbed


def test_a_job_deleted_before_its_answer_came(colony: Colony, undisturbed: dict[str, Any]) -> None:
    """A job that was made, whose answer was lost, and that somebody deleted then, is made again."""
    run = run_id("auto-retrain", world.BEE.bee, INSTALLATION, "k")
    fault = Fault(grpc.StatusCode.RESOURCE_EXHAUSTED, after_effect=True, does=lambda: colony.vertex.forget(run))
    colony.vertex.fail("CreatePipelineJob", fault)

    _story(colony)

    assert colony.end_state() == undisturbed


def test_an_outcome_that_cannot_be_read_for_a_while(colony: Colony) -> None:
    """A bucket that may not be read yet delays the settling of a run, and does not make it a failure."""
    colony.storage.forbidden = True
    run = colony.ask()
    colony.until(lambda: colony.run(run.id).status is Status.SUCCEEDED)
    colony.turn()
    assert not colony.run(run.id).settled

    colony.storage.forbidden = False
    colony.settle()

    assert colony.run(run.id).verdict is Verdict.DEPLOYED

import importlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.worker.adapters.engine.waiting import until
from tests.worker.adapters.engine.worlds import WORLDS, World
from worker.engine.state import Status
from worker.errors import Conflict, NotFound, Rejected
from worker.runs.port import EngineState, PipelineEngine


@pytest.fixture(name="world", params=sorted(WORLDS))
def _world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with importlib.import_module(WORLDS[request.param]).open_world(tmp_path) as world:
        yield world


def ended(engine: PipelineEngine, run_id: str) -> EngineState:
    """Wait for the end of a run."""
    return until(lambda: engine.state(run_id), lambda state: state.status.ended)


def test_success(world: World) -> None:
    """A run whose steps succeed succeeds, and tells each step by its name with its times, and what was made."""
    world.engine.submit(world.submission("run-a", "succeeds"))

    state = ended(world.engine, "run-a")
    assert (state.status, state.error) == (Status.SUCCEEDED, None)
    assert [(step.step_id, step.status) for step in state.steps] == [
        ("first", Status.SUCCEEDED),
        ("second_step", Status.SUCCEEDED),
    ]
    assert all(step.started_at and step.ended_at and step.started_at <= step.ended_at for step in state.steps)
    assert [(artifact["name"], artifact["type"]) for artifact in state.artifacts] == [("data", "system.Artifact")]


def test_failure(world: World) -> None:
    """A failed step fails the run, and both say why."""
    world.engine.submit(world.submission("run-b", "fails"))

    state = ended(world.engine, "run-b")
    assert state.status is Status.FAILED
    assert state.error
    failed = {step.step_id: step for step in state.steps}["second_step"]
    assert (failed.status, bool(failed.error)) == (Status.FAILED, True)


def test_submitting_twice(world: World) -> None:
    """The same run again is one run; the same id with other labels is a conflict."""
    submission = world.submission("run-c", "waits")
    world.engine.submit(submission)
    world.engine.submit(submission)

    with pytest.raises(Conflict):
        world.engine.submit(replace(submission, labels={**submission.labels, "installation": "elsewhere"}))
    world.engine.cancel("run-c")
    assert ended(world.engine, "run-c").status is Status.CANCELLED


def test_cancel(world: World) -> None:
    """A run that is cancelled while a step runs ends as cancelled; cancelling it again changes nothing."""
    world.engine.submit(world.submission("run-d", "waits"))
    until(
        lambda: world.engine.state("run-d"),
        lambda state: any((s.step_id, s.status) == ("second_step", Status.RUNNING) for s in state.steps),
    )
    world.engine.cancel("run-d")

    assert ended(world.engine, "run-d").status is Status.CANCELLED
    world.engine.cancel("run-d")
    assert world.engine.state("run-d").status is Status.CANCELLED


def test_a_glance_hides_nothing(world: World) -> None:
    """Looked at one by one or all at once, runs end as they end, and a run that nobody knows is not found."""
    names = ["run-f", "run-g"]
    for name, outcome in zip(names, ("succeeds", "fails"), strict=True):
        world.engine.submit(world.submission(name, outcome))

    def look() -> list[Status]:
        world.engine.glance("here", [*names, "run-none"])
        return [world.engine.state(name).status for name in names]

    assert until(look, lambda found: all(one.ended for one in found)) == [Status.SUCCEEDED, Status.FAILED]
    world.engine.glance("here", [*names, "run-none"])
    with pytest.raises(NotFound):
        world.engine.state("run-none")


def test_unknown_run(world: World) -> None:
    """A run that was never submitted is not found."""
    with pytest.raises(NotFound):
        world.engine.state("run-none")
    with pytest.raises(NotFound):
        world.engine.cancel("run-none")


def test_broken_spec(world: World) -> None:
    """A spec that no engine could execute is refused at submit, and leaves no run."""
    submission = world.submission("run-e", "succeeds")
    with pytest.raises(Rejected):
        world.engine.submit(replace(submission, spec={**submission.spec, "noSuchField": 1}))

    with pytest.raises(NotFound):
        world.engine.state("run-e")


def test_verify(world: World) -> None:
    """An engine that can be reached says so by saying nothing."""
    world.engine.verify()

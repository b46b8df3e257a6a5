"""How often Vertex AI is asked: within its quotas, for all runs with one list, and not at all while it is away."""

from collections.abc import Iterator

import grpc
import pytest

from tests.worker.adapters.engine.vertex_colony import Seconds
from tests.worker.adapters.engine.vertex_server import Fault, State, VertexServer
from tests.worker.adapters.engine.vertex_world import engine_at
from tests.worker.engine.recipe import Recipe
from worker.adapters.engine.vertex import VertexEngine
from worker.adapters.engine.vertex_calls import Quota
from worker.adapters.engine.vertex_client import Patience
from worker.engine.state import Status
from worker.errors import TryLater
from worker.runs.port import Submission

RUNS = ("run-1", "run-2", "run-3")


@pytest.fixture(name="server")
def _server() -> Iterator[VertexServer]:
    server = VertexServer()
    yield server
    server.close()


@pytest.fixture(name="clock")
def _clock() -> Seconds:
    return Seconds()


@pytest.fixture(name="engine")
def _engine(server: VertexServer, clock: Seconds) -> Iterator[VertexEngine]:
    engine = engine_at(server.address, quota=Quota(submissions=60), rest_s=5.0, clock=clock)
    yield engine
    engine.close()


def submission(run_id: str, installation: str = "here") -> Submission:
    """Return a run of one step."""
    labels = {"installation": installation, "run": run_id}
    return Submission(run_id, Recipe().step("only").document, {}, "gs://bucket/runs", labels)


def test_submissions_keep_to_their_quota(server: VertexServer, engine: VertexEngine, clock: Seconds) -> None:
    """Beyond the quota a submission waits without a call, and says how long; time lets it through."""
    for number in range(10):
        engine.submit(submission(f"run-{number}"))

    with pytest.raises(TryLater, match="quota"):
        engine.submit(submission("run-10"))
    assert len(server.jobs) == len(server.calls) == 10
    assert engine.state("run-0").status is Status.PENDING

    clock.now += 2
    engine.submit(submission("run-10"))
    assert len(server.jobs) == 11


def test_a_quota_that_others_used_up_is_respected(server: VertexServer, engine: VertexEngine, clock: Seconds) -> None:
    """RESOURCE_EXHAUSTED is not tried again at once: submissions rest for a while, twice as long the next time."""
    server.fail("CreatePipelineJob", *[Fault(grpc.StatusCode.RESOURCE_EXHAUSTED)] * 2)

    for calls, rest_s in ((1, 2), (2, 4)):
        for _ in range(3):
            with pytest.raises(TryLater):
                engine.submit(submission("run-1"))
        assert len(server.calls) == calls
        clock.now += rest_s

    engine.submit(submission("run-1"))
    assert len(server.jobs) == 1


def test_one_that_does_not_answer_is_left_alone(server: VertexServer, clock: Seconds) -> None:
    """After a call for which patience ran out the next is tried once, and none after that for five seconds."""
    patience = Patience(attempt_s=1.0, total_s=0.01, first_pause_s=0.001)
    engine = engine_at(server.address, patience=patience, rest_s=5.0, clock=clock)
    server.fail("GetPipelineJob", *[Fault()] * 1000)
    with pytest.raises(TryLater, match="fault"):
        engine.state("run-1")
    asked = len(server.calls)
    with pytest.raises(TryLater, match="fault"):
        engine.state("run-1")
    assert len(server.calls) == asked + 1
    server._faults.clear()

    for ask in (lambda: engine.state("run-1"), lambda: engine.submit(submission("run-1")), engine.verify):
        with pytest.raises(TryLater, match="a moment ago"):
            ask()
    assert len(server.calls) == asked + 1

    clock.now += 5
    engine.submit(submission("run-1"))
    engine.close()


def test_one_run_that_makes_trouble_keeps_no_other_waiting(server: VertexServer, clock: Seconds) -> None:
    """A run that Vertex AI does not answer for is left, and the next one is looked at in the same turn."""
    patience = Patience(attempt_s=1.0, total_s=0.01, first_pause_s=0.001)
    engine = engine_at(server.address, patience=patience, rest_s=5.0, clock=clock)
    for run_id in RUNS:
        engine.submit(submission(run_id))
    server.fail("GetPipelineJob", *[Fault(grpc.StatusCode.INTERNAL)] * 1000)
    with pytest.raises(TryLater):
        engine.state("run-1")
    server._faults.clear()

    assert [engine.state(run_id).status for run_id in RUNS[1:]] == [Status.PENDING] * 2
    engine.close()


def test_one_list_serves_all_runs(server: VertexServer, engine: VertexEngine) -> None:
    """Runs that have not changed since they were last looked at take one list for all; one that has takes a Get."""
    for run_id in RUNS:
        engine.submit(submission(run_id))
        server.advance(run_id)
        engine.state(run_id)
    server.calls.clear()

    engine.glance("here", RUNS)
    first = [engine.state(run_id).status for run_id in RUNS]
    assert (first, [name for name, _ in server.calls]) == ([Status.RUNNING] * 3, ["ListPipelineJobs"])

    server.finish("run-2")
    engine.glance("here", RUNS)
    second = [engine.state(run_id).status for run_id in RUNS]
    assert second == [Status.RUNNING, Status.SUCCEEDED, Status.RUNNING]
    assert [request.name.rpartition("/")[2] for request in server.asked("GetPipelineJob")] == ["run-2"]


def test_what_a_list_asks_for(server: VertexServer, engine: VertexEngine) -> None:
    """A list asks for active jobs of this installation, and of each no more than what tells whether it changed."""
    engine.submit(submission("run-1"))
    engine.submit(submission("run-2", installation="elsewhere"))

    engine.glance("here", RUNS)

    (request,) = server.asked("ListPipelineJobs")
    assert set(request.read_mask.paths) == {"name", "state", "update_time"}
    assert 'labels.installation="here"' in request.filter
    assert set(engine._glanced) == {"run-1"}


def test_a_list_of_many_pages(server: VertexServer, engine: VertexEngine) -> None:
    """More jobs than one page holds are all seen, each page by a call with a time-out of its own."""
    for number in range(205):
        request = {"parent": "projects/my-project/locations/europe-west1", "pipeline_job_id": f"run-{number}"}
        job = {"labels": {"installation": "here"}, "runtime_config": {"gcs_output_directory": "gs://b"}}
        engine._calls._client.create_pipeline_job(request={**request, "pipeline_job": job})

    engine.glance("here", RUNS)

    assert len(engine._glanced) == 205
    assert len(server.asked("ListPipelineJobs")) == 3


def test_a_single_run_is_looked_at_itself(server: VertexServer, engine: VertexEngine) -> None:
    """Of one run alone no list is made."""
    engine.submit(submission("run-1"))

    engine.glance("here", ["run-1"])
    engine.state("run-1")

    assert [name for name, _ in server.calls] == ["CreatePipelineJob", "GetPipelineJob"]


def test_a_glance_serves_one_look(server: VertexServer, engine: VertexEngine) -> None:
    """A run that ends after a glance was used is seen as ended by the next look, whatever the glance had said."""
    for run_id in RUNS:
        engine.submit(submission(run_id))
        engine.state(run_id)
    engine.glance("here", RUNS)
    assert engine.state("run-1").status is Status.PENDING

    server.finish("run-1")

    assert engine.state("run-1").status is Status.SUCCEEDED


def test_a_job_is_seen_in_full_now_and_then(server: VertexServer, engine: VertexEngine, clock: Seconds) -> None:
    """Progress that does not touch a job's own time is seen two minutes later at most."""
    for run_id in RUNS:
        engine.submit(submission(run_id))
        server.advance(run_id)
        engine.state(run_id)
    job = server.job("run-1")
    before = job.update_time
    server.advance("run-1")
    job.update_time = before

    for later, status in ((0, Status.PENDING), (120, Status.RUNNING)):
        clock.now += later
        engine.glance("here", RUNS)
        assert [step.status for step in engine.state("run-1").steps] == [status]


def test_a_deleted_job_is_not_remembered(server: VertexServer, engine: VertexEngine) -> None:
    """A job that a list does not name any more is asked for, and what was known of it is forgotten."""
    for run_id in RUNS:
        engine.submit(submission(run_id))
        engine.state(run_id)
    server.forget("run-1")
    server.job("run-2").state = State.PIPELINE_STATE_CANCELLED

    engine.glance("here", RUNS)

    assert set(engine._known) == {"run-3"}
    assert engine.state("run-2").status is Status.CANCELLED

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.worker.adapters.engine import vertex_server
from tests.worker.adapters.engine.vertex_server import Fault, State, TaskState, VertexServer
from tests.worker.adapters.engine.vertex_world import engine_at
from tests.worker.engine.recipe import Recipe
from worker.adapters.engine.vertex import VertexEngine
from worker.adapters.engine.vertex_client import Patience, client
from worker.adapters.engine.vertex_job import Placement, labels
from worker.engine.state import Status
from worker.errors import Conflict, NotFound, Rejected, TryLater
from worker.runs.port import Submission

LABELS = {"installation": "here", "run": "run-1", "bee": "spam-guard"}


@pytest.fixture(name="server")
def _server() -> Iterator[VertexServer]:
    """A server whose jobs move only when told to."""
    server = VertexServer()
    yield server
    server.close()


@pytest.fixture(name="engine")
def _engine(server: VertexServer) -> Iterator[VertexEngine]:
    engine = engine_at(server.address)
    yield engine
    engine.close()


def submission(run_id: str = "run-1", **changed: Any) -> Submission:
    """Return a run of one pipeline with typed parameters."""
    recipe = Recipe({"bee": "STRING", "rounds": ("NUMBER_INTEGER", 3), "run": ("STRUCT", {})})
    recipe.step("train", writes=["model"]).step("judge", after=["train"])
    given = Submission(run_id, recipe.document, {"bee": "spam-guard"}, "gs://bucket/runs/run-1", LABELS)
    return replace(given, **changed)


def test_what_is_created(server: VertexServer) -> None:
    """Create gets our id, the spec as compiled, the parameters, the directory, the labels and the placement."""
    key = "projects/my-project/locations/europe-west1/keyRings/r/cryptoKeys/k"
    placement = Placement("runner@my-project", "n", key, reserved_ranges=("a", "b"), failure_policy="fast")
    engine = engine_at(server.address, placement=placement)

    engine.submit(submission(parameters={"bee": "spam-guard", "rounds": 5, "run": {"a": [1, None, True, "x"]}}))
    engine.close()

    (request,) = server.asked("CreatePipelineJob")
    job = request.pipeline_job
    assert (request.parent, request.pipeline_job_id) == ("projects/my-project/locations/europe-west1", "run-1")
    assert vertex_server._spec(job) == submission().spec
    assert job.runtime_config.gcs_output_directory == "gs://bucket/runs/run-1"
    assert job.runtime_config.parameter_values["rounds"] == 5
    assert dict(job.runtime_config.parameter_values["run"]) == {"a": [1, None, True, "x"]}
    assert job.runtime_config.failure_policy.name == "PIPELINE_FAILURE_POLICY_FAIL_FAST"
    assert dict(job.labels) == LABELS
    assert (job.service_account, job.network, job.encryption_spec.kms_key_name) == ("runner@my-project", "n", key)
    assert list(job.reserved_ip_ranges) == ["a", "b"]


def test_what_is_not_set_stays_googles_default(server: VertexServer) -> None:
    """Without settings no place is named, and a failure lets run what can; a PSC interface is named when set."""
    for run_id, placement in (("run-1", Placement()), ("run-2", Placement(network_attachment="projects/p/a"))):
        engine = engine_at(server.address, placement=placement)
        engine.submit(submission(run_id))
        engine.close()

    plain, private = (server.job(run_id) for run_id in ("run-1", "run-2"))
    assert plain.runtime_config.failure_policy.name == "PIPELINE_FAILURE_POLICY_FAIL_SLOW"
    assert "encryption_spec" not in plain
    assert "psc_interface_config" not in plain
    assert (plain.service_account, plain.network, list(plain.reserved_ip_ranges)) == ("", "", [])
    assert private.psc_interface_config.network_attachment == "projects/p/a"


def test_a_lost_answer_is_a_success(server: VertexServer, engine: VertexEngine) -> None:
    """When the job was made and the answer lost, the second Create finds the id taken by this very run."""
    server.fail("CreatePipelineJob", Fault(after_effect=True))

    engine.submit(submission())

    assert len(server.jobs) == 1
    assert len(server.asked("GetPipelineJob")) == 1


def test_patience_ends(server: VertexServer) -> None:
    """After its time a submit gives up with TryLater, and a later one succeeds."""
    engine = engine_at(server.address, patience=Patience(attempt_s=1.0, total_s=0.2, first_pause_s=0.01))
    server.fail("CreatePipelineJob", *[Fault()] * 1000)

    with pytest.raises(TryLater, match="run-1"):
        engine.submit(submission())
    server._faults.clear()
    engine.submit(submission())

    assert len(server.jobs) == 1


def test_each_call_has_its_own_time_out(server: VertexServer) -> None:
    """A call that is never answered ends by its own time-out and is made again."""
    engine = engine_at(server.address, patience=Patience(attempt_s=0.3, total_s=5.0, first_pause_s=0.01))
    server.fail("CreatePipelineJob", Fault(hangs_s=30.0))

    engine.submit(submission())

    assert len(server.asked("CreatePipelineJob")) == 2


def test_nobody_there(server: VertexServer) -> None:
    """Without a server every call is TryLater."""
    engine = engine_at(server.address, patience=Patience(attempt_s=0.5, total_s=0.3, first_pause_s=0.01))
    server.close()

    for ask in (engine.verify, lambda: engine.state("run-1"), lambda: engine.submit(submission())):
        with pytest.raises(TryLater):
            ask()


@pytest.mark.parametrize("label", ["installation", "run"])
def test_an_id_that_another_run_has(engine: VertexEngine, label: str) -> None:
    """The same id with another installation or run is a conflict; other labels do not matter."""
    engine.submit(submission())

    engine.submit(submission(labels={**LABELS, "bee": "renamed"}))
    with pytest.raises(Conflict, match="run-1"):
        engine.submit(submission(labels={**LABELS, label: "other"}))


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "Correct the pipeline"),
        (grpc.StatusCode.PERMISSION_DENIED, "roles/aiplatform.user"),
        (grpc.StatusCode.FAILED_PRECONDITION, "set-up"),
        (grpc.StatusCode.NOT_FOUND, "GOOGLE_CLOUD_PROJECT"),
    ],
)
def test_what_a_person_has_to_mend_is_refused_at_once(
    server: VertexServer, engine: VertexEngine, code: grpc.StatusCode, mend: str
) -> None:
    """A fault that will not go away by itself is Rejected with its mend after one call."""
    server.fail("CreatePipelineJob", Fault(code))

    with pytest.raises(Rejected, match=mend):
        engine.submit(submission())
    assert len(server.calls) == 1


def broken(path: str, value: Any) -> dict[str, Any]:
    """Return the spec with one field changed."""
    document: dict[str, Any] = dict(submission().spec)
    here = document
    *above, last = path.split(".")
    for key in above:
        here = here[key]
    here[last] = value
    return document


DATASET = ("root.inputDefinitions.artifacts", {"d": {"artifactType": {"schemaTitle": "system.Dataset"}}})


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"run_id": "Run-1"}, "runId"),
        ({"run_id": "r" * 129}, "runId"),
        ({"output_dir": "/tmp/runs"}, "outputDir"),
        ({"labels": {"run": "run-1"}}, "labels.installation"),
        ({"labels": {**LABELS, "Bee": "b"}}, "labels.Bee"),
        ({"labels": {**LABELS, **{f"l{number}": "" for number in range(62)}}}, "labels"),
        (
            {"labels": {**LABELS, "vertex-ai-pipelines-run-billing-id": "1"}},
            "labels.vertex-ai-pipelines-run-billing-id",
        ),
        ({"parameters": {}}, "parameters.bee"),
        ({"parameters": {"bee": 1}}, "parameters.bee"),
        ({"parameters": {"bee": "b", "rounds": 1.5}}, "parameters.rounds"),
        ({"parameters": {"bee": "b", "rounds": 2**53 + 1}}, "parameters.rounds"),
        ({"parameters": {"bee": "b", "run": {"seeds": [2**60]}}}, "parameters.run"),
        ({"parameters": {"bee": "b", "run": {"score": float("nan")}}}, "parameters.run"),
        ({"parameters": {"bee": "b", "extra": 1}}, "parameters.extra"),
        ({"spec": broken("schemaVersion", "2.0.0")}, "schemaVersion"),
        ({"spec": broken("root.dag.tasks.train.retries", 3)}, "root.dag.tasks.train.retries"),
        ({"spec": broken(*DATASET), "parameters": {"bee": "b", "d": "gs://b/d"}}, "parameters"),
    ],
)
def test_what_would_not_do_is_refused_before_anything_is_sent(
    server: VertexServer, engine: VertexEngine, changed: dict[str, Any], field: str
) -> None:
    """A wrong id, directory, label, parameter or spec names its field, and no call is made."""
    with pytest.raises(Rejected) as refused:
        engine.submit(submission(**changed))

    assert refused.value.field == field
    assert server.calls == []


def test_labels_that_vertex_would_not_take() -> None:
    """A value outside the alphabet or too long is shortened, differs for different values, and is always the same."""
    long, other = "Run:" + "x" * 100, "run:" + "x" * 100

    made = labels({"installation": long, "run": other})

    assert all(len(value) <= 63 for value in made.values())
    assert made["installation"] != made["run"]
    assert made["installation"].startswith("run-xxx")
    assert made == labels({"installation": long, "run": other})


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (State.PIPELINE_STATE_UNSPECIFIED, Status.PENDING),
        (State.PIPELINE_STATE_QUEUED, Status.QUEUED),
        (State.PIPELINE_STATE_PENDING, Status.PENDING),
        (State.PIPELINE_STATE_RUNNING, Status.RUNNING),
        (State.PIPELINE_STATE_SUCCEEDED, Status.SUCCEEDED),
        (State.PIPELINE_STATE_FAILED, Status.FAILED),
        (State.PIPELINE_STATE_CANCELLING, Status.RUNNING),
        (State.PIPELINE_STATE_CANCELLED, Status.CANCELLED),
        (State.PIPELINE_STATE_PAUSED, Status.RUNNING),
        (77, Status.RUNNING),
    ],
)
@pytest.mark.filterwarnings("ignore:Unrecognized PipelineState")
def test_states_of_runs(server: VertexServer, engine: VertexEngine, state: Any, status: Status) -> None:
    """Each of Vertex's states has one of ours; what may still end otherwise has not ended."""
    engine.submit(submission())
    server.advance("run-1")
    server.job("run-1").state = state

    assert engine.state("run-1").status is status


@pytest.mark.parametrize("state", [State.PIPELINE_STATE_CANCELLING, State.PIPELINE_STATE_PAUSED])
def test_what_is_held_before_it_began_waits(server: VertexServer, engine: VertexEngine, state: State) -> None:
    """A job that is cancelled or paused while it waits for a place has not begun."""
    engine.submit(submission())
    server.job("run-1").state = state

    assert engine.state("run-1").status is Status.QUEUED


def test_since_when_a_job_does_not_move(server: VertexServer, engine: VertexEngine) -> None:
    """A queued job stalls since it was made, a paused one since it was paused; a running one goes on."""
    engine.submit(submission())
    job, hour = server.job("run-1"), timedelta(hours=1)
    job.create_time -= hour
    assert engine.state("run-1").stalled_since == job.create_time

    server.advance("run-1")
    assert engine.state("run-1").stalled_since is None

    job.state = State.PIPELINE_STATE_PAUSED
    paused = engine.state("run-1")
    assert paused.stalled_since == job.update_time > job.create_time + hour
    assert "paused" in (paused.error or "")


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (TaskState.PENDING, Status.PENDING),
        (TaskState.RUNNING, Status.RUNNING),
        (TaskState.SUCCEEDED, Status.SUCCEEDED),
        (TaskState.CANCEL_PENDING, Status.RUNNING),
        (TaskState.CANCELLING, Status.RUNNING),
        (TaskState.CANCELLED, Status.CANCELLED),
        (TaskState.FAILED, Status.FAILED),
        (TaskState.SKIPPED, Status.SUCCEEDED),
        (TaskState.NOT_TRIGGERED, Status.SKIPPED),
    ],
)
def test_states_of_steps(server: VertexServer, engine: VertexEngine, state: Any, status: Status) -> None:
    """A cache hit has succeeded, a condition that was false is skipped."""
    engine.submit(submission())
    server.advance("run-1")
    server.advance("run-1")
    server.job("run-1").job_detail.task_details[1].state = state

    steps = {step.step_id: step.status for step in engine.state("run-1").steps}
    assert steps == {"train": status, "judge": Status.PENDING}


def test_a_failure_tells_why(server: VertexServer, engine: VertexEngine) -> None:
    """A failed run has Vertex's reason, its step the reason and how many attempts were made."""
    server.failing.add("run-1")
    engine.submit(submission())
    server.finish("run-1")
    judge = server.job("run-1").job_detail.task_details[2]
    judge.executor_detail = {"container_detail": {"main_job": "job-3", "failed_main_jobs": ["job-1", "job-2", "job-3"]}}

    state = engine.state("run-1")

    assert state.error == "The DAG failed because some tasks failed: [judge]."
    step = {step.step_id: step for step in state.steps}["judge"]
    assert (step.status, step.attempt) == (Status.FAILED, 3)
    assert "non-zero status" in (step.error or "")


def test_what_was_not_reached_is_cancelled_with_its_run(server: VertexServer, engine: VertexEngine) -> None:
    """Of a cancelled run, steps that never began are cancelled too."""
    engine.submit(submission())
    engine.cancel("run-1")
    server.finish("run-1")

    state = engine.state("run-1")
    assert state.status is Status.CANCELLED
    assert {step.step_id: step.status for step in state.steps} == dict.fromkeys(("train", "judge"), Status.CANCELLED)


def test_steps_in_groups_have_paths(server: VertexServer, engine: VertexEngine) -> None:
    """A step in a group carries the group's name, one in a loop its number too; a group is told by its steps."""
    recipe = Recipe()
    recipe.step("inner", into=recipe.group("loop"))
    recipe.step("guarded", into=recipe.group("condition-1"))
    engine.submit(submission(spec=recipe.document, parameters={}))
    server.advance("run-1")
    details = server.job("run-1").job_detail.task_details
    details.append(vertex_server._task(1, "loop", vertex_server.ROOT_ID, TaskState.RUNNING))
    details.append(vertex_server._task(2, "inner", 1, TaskState.SUCCEEDED))
    details.append(vertex_server._task(3, "inner", 1, TaskState.RUNNING))
    details.append(vertex_server._task(4, "condition-1", vertex_server.ROOT_ID, TaskState.NOT_TRIGGERED))

    assert {step.step_id: step.status for step in engine.state("run-1").steps} == {
        "loop/0/inner": Status.SUCCEEDED,
        "loop/1/inner": Status.RUNNING,
        "condition-1": Status.SKIPPED,
    }


def test_steps_have_the_machines_of_their_spec(server: VertexServer, engine: VertexEngine) -> None:
    """A step tells the machine that its spec asks for, in a loop too; one that has not begun tells none yet."""
    recipe = Recipe().step("train").step("judge", after=["train"])
    recipe.step("inner", into=recipe.group("loop"))
    executors = recipe.document["deploymentSpec"]["executors"]
    label = recipe.document["components"][recipe.tasks["train"]["componentRef"]["name"]]["executorLabel"]
    executors[label]["container"]["resources"] = {"cpuLimit": 8.0, "memoryLimit": 32.0}
    engine.submit(submission(spec=recipe.document, parameters={}))
    details = server.job("run-1").job_detail.task_details
    details.append(vertex_server._task(1, "train", vertex_server.ROOT_ID, TaskState.SUCCEEDED))
    details.append(vertex_server._task(2, "loop", vertex_server.ROOT_ID, TaskState.RUNNING))
    details.append(vertex_server._task(3, "inner", 2, TaskState.RUNNING))

    machines = {step.step_id: step.machine for step in engine.state("run-1").steps}

    assert machines == {"train": "cpu=8 memory=32", "loop/inner": "e2-standard-4", "judge": None}


def test_artifacts_are_told_with_their_step(server: VertexServer, engine: VertexEngine) -> None:
    """An output artifact has step, name, type, address and metadata."""
    engine.submit(submission())
    server.finish("run-1")

    (artifact,) = engine.state("run-1").artifacts
    assert (artifact["step"], artifact["name"], artifact["type"]) == ("train", "model", "system.Artifact")
    assert artifact["uri"].startswith("gs://bucket/runs/run-1/run-1/")
    assert artifact["metadata"] == {"rows": 3}


def test_cancelling_what_has_ended_changes_nothing(server: VertexServer, engine: VertexEngine) -> None:
    """Vertex refuses to cancel an ended run; for us that is no error, and the state stays."""
    engine.submit(submission())
    server.finish("run-1")

    engine.cancel("run-1")

    assert engine.state("run-1").status is Status.SUCCEEDED


def test_a_refused_cancel_of_a_live_run_is_told(server: VertexServer, engine: VertexEngine) -> None:
    """When Vertex refuses to cancel a run that goes on, the caller learns it."""
    engine.submit(submission())
    server.fail("CancelPipelineJob", Fault(grpc.StatusCode.FAILED_PRECONDITION))

    with pytest.raises(Rejected):
        engine.cancel("run-1")


def test_verify_tells_a_wrong_project(server: VertexServer, engine: VertexEngine) -> None:
    """The call at boot names project and region when Vertex does not know them, and the grant when it refuses."""
    server.fail("ListPipelineJobs", Fault(grpc.StatusCode.NOT_FOUND), Fault(grpc.StatusCode.PERMISSION_DENIED))

    with pytest.raises(Rejected, match="GOOGLE_CLOUD_REGION"):
        engine.verify()
    with pytest.raises(Rejected, match="Grant"):
        engine.verify()
    engine.verify()


def test_the_stand_in_lists_by_label_in_pages(server: VertexServer, engine: VertexEngine) -> None:
    """The server that tests rely on filters by labels and pages as Vertex does."""
    for number in range(5):
        engine.submit(submission(f"run-{number}", labels={"installation": "here", "run": f"run-{number}"}))
    talk = client("europe-west1", server.address)
    parent = "projects/my-project/locations/europe-west1"

    found = list(talk.list_pipeline_jobs(request={"parent": parent, "page_size": 2}))
    one = list(talk.list_pipeline_jobs(request={"parent": parent, "filter": 'labels.run="run-3"'}))
    talk.transport.close()

    assert len(found) == 5
    assert [job.name.rpartition("/")[2] for job in one] == ["run-3"]


def test_the_stand_in_runs_as_a_process() -> None:
    """Started as a program it says where it listens, serves the engine, and ends on TERM."""
    program = [sys.executable, Path(vertex_server.__file__), "--port", "0"]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        address = process.stdout.readline().split()[-1]
        engine = engine_at(address)
        engine.submit(submission())
        with pytest.raises(NotFound):
            engine.state("run-none")
        while not engine.state("run-1").status.ended:
            continue
        assert engine.state("run-1").status is Status.SUCCEEDED
        engine.close()
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0
        process.stdout.close()

"""A stand-in for Vertex AI Pipelines: a local gRPC server of the client's own message types, plain text.

In a test: `VertexServer()`, with hooks that move jobs along and put faults in the way. As a process:
`python tests/worker/adapters/engine/vertex_server.py --port 0` prints `listening on 127.0.0.1:PORT`; each Get or List
moves its jobs one stage on (`--stay` leaves them where they are).
"""

import argparse
import re
import signal
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
from google.cloud.aiplatform_v1 import types
from google.protobuf import empty_pb2
from google.protobuf.json_format import MessageToDict

SERVICE = "google.cloud.aiplatform.v1.PipelineService"
RUN_ID = re.compile(r"[a-z][-a-z0-9]{0,127}")
ROOT_ID = 1000
State = types.PipelineState
TaskState = types.PipelineTaskDetail.State
TELLS = re.compile(r'(state|labels\.[a-z0-9_-]+)(!?=)"([^"]*)"')
ENDED = {State.PIPELINE_STATE_SUCCEEDED, State.PIPELINE_STATE_FAILED, State.PIPELINE_STATE_CANCELLED}


@dataclass
class Fault:
    """What goes wrong with one call: a status, before or after the effect; no answer in time; or what `does` does."""

    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    after_effect: bool = False
    hangs_s: float = 0.0
    does: Callable[[], None] = lambda: None


class VertexServer:
    """Serves Create, Get, List and Cancel; `jobs` holds what was created, `calls` what was asked for."""

    def __init__(self, *, port: int = 0, advance_on_get: bool = False) -> None:
        """Listen on 127.0.0.1 (a free port if `port` is 0); `advance_on_get`: each Get or List moves its jobs on."""
        self.jobs: dict[str, types.PipelineJob] = {}
        self.calls: list[tuple[str, Any]] = []
        self.failing: set[str] = set()
        self.waiting: set[str] = set()
        #: Whether new jobs find no place, and stay queued until they are cancelled.
        self.full = False
        self._faults: dict[str, deque[Fault]] = {}
        self._advance_on_get = advance_on_get
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, self._handlers()),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port(f'127.0.0.1:{port}')}"
        self._server.start()

    def fail(self, method: str, *faults: Fault) -> None:
        """Let the next calls of a method (`CreatePipelineJob` …) go wrong, one fault each."""
        self._faults.setdefault(method, deque()).extend(faults)

    def asked(self, method: str) -> list[Any]:
        """Return the requests of one method."""
        return [request for name, request in self.calls if name == method]

    def forget(self, run_id: str) -> None:
        """Delete a job, as somebody else would."""
        with self._lock:
            del self.jobs[self.job(run_id).name]

    def begin(self, run_id: str) -> None:
        """Give a queued job its place."""
        with self._lock:
            self.job(run_id).state = State.PIPELINE_STATE_PENDING
            self.advance(run_id)

    def job(self, run_id: str) -> types.PipelineJob:
        """Return a job by its id, to look at or to change."""
        return next(job for name, job in self.jobs.items() if name.endswith(f"/pipelineJobs/{run_id}"))

    def advance(self, run_id: str) -> None:
        """Move a job one stage on: pending, then one task after the other, then its end.

        The last task of a job whose id is in `failing` fails, that of one in `waiting` runs until it is cancelled.
        """
        with self._lock:
            job = self.job(run_id)
            if job.state == State.PIPELINE_STATE_CANCELLING:
                self._end(job, State.PIPELINE_STATE_CANCELLED, TaskState.CANCELLED)
            elif job.state == State.PIPELINE_STATE_PENDING:
                self._run(job)
            elif job.state == State.PIPELINE_STATE_RUNNING:
                self._next_task(job, run_id)
            else:
                return
            job.update_time = _now()

    def finish(self, run_id: str) -> None:
        """Move a job on until it has ended."""
        while self.job(run_id).state not in ENDED:
            self.advance(run_id)

    def close(self) -> None:
        """Stop serving."""
        self._closed.set()
        self._server.stop(None)

    # the four calls

    def _create(self, request: types.CreatePipelineJobRequest, context: grpc.ServicerContext) -> types.PipelineJob:
        name = f"{request.parent}/pipelineJobs/{request.pipeline_job_id}"
        if not RUN_ID.fullmatch(request.pipeline_job_id):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The PipelineJob ID is invalid.")
        if not request.pipeline_job.runtime_config.gcs_output_directory.startswith("gs://"):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "gcs_output_directory must be a Cloud Storage path.")
        with self._lock:
            if name in self.jobs:
                reason = "Pipeline job with the specified ID already exists."
                context.abort(grpc.StatusCode.ALREADY_EXISTS, reason)
            job = types.PipelineJob.deserialize(types.PipelineJob.serialize(request.pipeline_job))
            job.name = name
            job.state = State.PIPELINE_STATE_QUEUED if self.full else State.PIPELINE_STATE_PENDING
            job.create_time = job.update_time = _now()
            self.jobs[name] = job
            return job

    def _get(self, request: types.GetPipelineJobRequest, context: grpc.ServicerContext) -> types.PipelineJob:
        with self._lock:
            job = self._found(request.name, context)
            if self._advance_on_get:
                self.advance(request.name.rpartition("/")[2])
            return types.PipelineJob.deserialize(types.PipelineJob.serialize(job))

    def _list(
        self, request: types.ListPipelineJobsRequest, context: grpc.ServicerContext
    ) -> types.ListPipelineJobsResponse:
        parts = [TELLS.fullmatch(part) for part in request.filter.split(" AND ")] if request.filter else []
        wanted = [part.groups() for part in parts if part]
        if len(wanted) < len(parts):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"filter {request.filter!r} is not understood here")
        with self._lock:
            mine = [job for name, job in self.jobs.items() if name.startswith(f"{request.parent}/")]
            for job in mine if self._advance_on_get else ():
                self.advance(job.name.rpartition("/")[2])
            found = [_seen(job, request) for job in mine if all(_holds(job, *part) for part in wanted)]
        start = int(request.page_token or 0)
        end = start + (request.page_size or 100)
        token = str(end) if end < len(found) else ""
        return types.ListPipelineJobsResponse(pipeline_jobs=found[start:end], next_page_token=token)

    def _cancel(self, request: types.CancelPipelineJobRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        with self._lock:
            job = self._found(request.name, context)
            if job.state in ENDED:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "The PipelineJob has ended.")
            job.state = State.PIPELINE_STATE_CANCELLING
            return empty_pb2.Empty()

    # how a job goes on

    def _run(self, job: types.PipelineJob) -> None:
        job.state = State.PIPELINE_STATE_RUNNING
        job.start_time = _now()
        run_id = job.name.rpartition("/")[2]
        # Vertex tells of the run itself as a task, which is every other task's parent.
        job.job_detail.task_details.append(_task(ROOT_ID, run_id, 0, TaskState.RUNNING))

    def _next_task(self, job: types.PipelineJob, run_id: str) -> None:
        details = job.job_detail.task_details
        names = _task_names(job)
        running = next((one for one in details if one.task_id != ROOT_ID and one.state == TaskState.RUNNING), None)
        if running is not None:
            self._end_task(job, running, run_id, last=len(details) > len(names))
        elif len(details) <= len(names):
            key = names[len(details) - 1]
            details.append(_task(ROOT_ID + len(details), key, ROOT_ID, TaskState.RUNNING))
        else:
            self._end(job, State.PIPELINE_STATE_SUCCEEDED, TaskState.SUCCEEDED)

    def _end_task(self, job: types.PipelineJob, task: types.PipelineTaskDetail, run_id: str, *, last: bool) -> None:
        if last and run_id in self.waiting:
            return
        task.end_time = _now()
        if last and run_id in self.failing:
            task.state = TaskState.FAILED
            task.error = {"code": 9, "message": "The replica workerpool0-0 exited with a non-zero status of 1."}
            self._end(job, State.PIPELINE_STATE_FAILED, TaskState.FAILED)
            job.error = {"code": 9, "message": f"The DAG failed because some tasks failed: [{task.task_name}]."}
            return
        task.state = TaskState.SUCCEEDED
        for key, title in _artifacts(job, task.task_name):
            uri = f"{job.runtime_config.gcs_output_directory}/{run_id}/{task.task_id}/{key}"
            task.outputs[key] = {"artifacts": [{"uri": uri, "schema_title": title, "metadata": {"rows": 3}}]}

    def _end(self, job: types.PipelineJob, state: State, task_state: TaskState) -> None:
        job.state = state
        job.end_time = _now()
        for task in job.job_detail.task_details:
            if task.state == TaskState.RUNNING:
                task.state = task_state
                task.end_time = _now()

    # wiring

    def _handlers(self) -> dict[str, grpc.RpcMethodHandler]:
        return {
            "CreatePipelineJob": self._handler(
                "CreatePipelineJob", self._create, types.CreatePipelineJobRequest, types.PipelineJob.serialize
            ),
            "GetPipelineJob": self._handler(
                "GetPipelineJob", self._get, types.GetPipelineJobRequest, types.PipelineJob.serialize
            ),
            "ListPipelineJobs": self._handler(
                "ListPipelineJobs", self._list, types.ListPipelineJobsRequest, types.ListPipelineJobsResponse.serialize
            ),
            "CancelPipelineJob": self._handler(
                "CancelPipelineJob",
                self._cancel,
                types.CancelPipelineJobRequest,
                empty_pb2.Empty.SerializeToString,
            ),
        }

    def _handler(
        self, method: str, body: Callable[[Any, Any], Any], request_type: Any, serialize: Callable[[Any], bytes]
    ) -> grpc.RpcMethodHandler:
        def serve(request: Any, context: grpc.ServicerContext) -> Any:
            self.calls.append((method, request))
            faults = self._faults.get(method)
            fault = faults.popleft() if faults else None
            if fault and fault.hangs_s:
                self._closed.wait(fault.hangs_s)
            if fault and not fault.after_effect:
                fault.does()
                context.abort(fault.code, "a fault before the effect")
            answer = body(request, context)
            if fault:
                fault.does()
                context.abort(fault.code, "the answer was lost")
            return answer

        return grpc.unary_unary_rpc_method_handler(
            serve, request_deserializer=request_type.deserialize, response_serializer=serialize
        )

    def _found(self, name: str, context: grpc.ServicerContext) -> types.PipelineJob:
        if name not in self.jobs:
            context.abort(grpc.StatusCode.NOT_FOUND, f"The PipelineJob does not exist: {name}")
        return self.jobs[name]


def _holds(job: types.PipelineJob, field: str, sign: str, value: str) -> bool:
    there = job.state.name if field == "state" else job.labels.get(field.removeprefix("labels."))
    return (there == value) == (sign == "=")


def _seen(job: types.PipelineJob, request: types.ListPipelineJobsRequest) -> types.PipelineJob:
    """Return what a list tells of a job: the fields that were asked for, and never its details."""
    told = types.PipelineJob.deserialize(types.PipelineJob.serialize(job))
    told.job_detail = None
    if not request.read_mask.paths:
        return told
    return types.PipelineJob({name: getattr(told, name) for name in request.read_mask.paths})


def _spec(job: types.PipelineJob) -> dict[str, Any]:
    spec: dict[str, Any] = MessageToDict(types.PipelineJob.pb(job).pipeline_spec)
    return spec


def _task_names(job: types.PipelineJob) -> list[str]:
    """Return the root's tasks by their names, each after the ones that it depends on."""
    tasks = _spec(job)["root"]["dag"]["tasks"]
    ordered: list[str] = []
    while len(ordered) < len(tasks):
        ready = (
            key
            for key in sorted(tasks)
            if key not in ordered and all(one in ordered for one in tasks[key].get("dependentTasks", []))
        )
        ordered.append(next(ready))
    return [tasks[key].get("taskInfo", {}).get("name") or key for key in ordered]


def _artifacts(job: types.PipelineJob, name: str) -> list[tuple[str, str]]:
    spec = _spec(job)
    tasks = spec["root"]["dag"]["tasks"].items()
    task = next(task for key, task in tasks if name in (task.get("taskInfo", {}).get("name"), key))
    declared = spec["components"][task["componentRef"]["name"]].get("outputDefinitions", {}).get("artifacts", {})
    return [(key, artifact["artifactType"].get("schemaTitle", "")) for key, artifact in sorted(declared.items())]


def _task(task_id: int, name: str, parent: int, state: TaskState) -> types.PipelineTaskDetail:
    now = _now()
    return types.PipelineTaskDetail(
        task_id=task_id, task_name=name, parent_task_id=parent, state=state, create_time=now, start_time=now
    )


def _now() -> datetime:
    return datetime.now(tz=UTC)


def main() -> None:
    """Serve until TERM or INT."""
    parser = argparse.ArgumentParser(description="A stand-in for Vertex AI Pipelines.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--stay", action="store_true", help="do not move jobs on with each Get")
    given = parser.parse_args()
    server = VertexServer(port=given.port, advance_on_get=not given.stay)
    print(f"listening on {server.address}", flush=True)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    server.close()


if __name__ == "__main__":
    main()

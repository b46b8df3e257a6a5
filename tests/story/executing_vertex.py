"""A Vertex AI that does the work: it executes the very spec that was submitted, by the local engine.

Its buckets are a directory, as Vertex mounts them: `gs://bucket/x` is `mount/bucket/x` to a step. What a run has
written there is put into the storage stand-in when the run has ended.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
from google.cloud.aiplatform_v1 import types
from google.protobuf.json_format import MessageToDict

from tests.google_storage import StorageServer
from tests.worker.adapters.engine.memory_journal import MemoryJournal
from tests.worker.adapters.engine.vertex_server import ENDED, ROOT_ID, State, TaskState, VertexServer
from worker.adapters.engine.local import LocalEngine
from worker.clock import wall_clock
from worker.engine.state import Status
from worker.engine.values import whole
from worker.errors import ColonyError
from worker.runs.port import EngineState, Submission

_STATES = {
    Status.PENDING: State.PIPELINE_STATE_PENDING,
    Status.QUEUED: State.PIPELINE_STATE_QUEUED,
    Status.RUNNING: State.PIPELINE_STATE_RUNNING,
    Status.SUCCEEDED: State.PIPELINE_STATE_SUCCEEDED,
    Status.FAILED: State.PIPELINE_STATE_FAILED,
    Status.CANCELLED: State.PIPELINE_STATE_CANCELLED,
}
_TASKS = {
    Status.RUNNING: TaskState.RUNNING,
    Status.SUCCEEDED: TaskState.SUCCEEDED,
    Status.FAILED: TaskState.FAILED,
    Status.CANCELLED: TaskState.CANCELLED,
    Status.SKIPPED: TaskState.NOT_TRIGGERED,
}


class ExecutingVertex(VertexServer):
    """`VertexServer` whose jobs are executed."""

    def __init__(self, storage: StorageServer, bucket: str, mount: Path, environment: Mapping[str, str]) -> None:
        """Execute in this process; steps get `environment` beside what their spec tells them."""
        self._storage, self._bucket, self._mount = storage, f"gs://{bucket}/", f"{mount / bucket}/"
        self._engine = LocalEngine(
            MemoryJournal(), wall_clock, "vertex", max_steps=2, max_runs=2, environment=environment
        )
        self._engine.start()
        self._stored: set[str] = set()
        super().__init__()

    def close(self) -> None:
        """Stop serving and executing."""
        super().close()
        self._engine.close(grace_s=0.5)

    def _create(self, request: types.CreatePipelineJobRequest, context: grpc.ServicerContext) -> types.PipelineJob:
        told = MessageToDict(types.PipelineJob.pb(request.pipeline_job))
        parameters = json.dumps(told["runtimeConfig"].get("parameterValues", {}))
        submission = Submission(
            run_id=request.pipeline_job_id,
            spec=whole(told["pipelineSpec"]),
            parameters=json.loads(parameters.replace(self._bucket, self._mount)),
            output_dir=request.pipeline_job.runtime_config.gcs_output_directory.replace(self._bucket, self._mount),
            labels=dict(request.pipeline_job.labels),
        )
        try:
            self._engine.submit(submission)
        except ColonyError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the spec cannot be executed: {error}")
        return super()._create(request, context)

    def _get(self, request: types.GetPipelineJobRequest, context: grpc.ServicerContext) -> types.PipelineJob:
        self._look()
        return super()._get(request, context)

    def _list(
        self, request: types.ListPipelineJobsRequest, context: grpc.ServicerContext
    ) -> types.ListPipelineJobsResponse:
        self._look()
        return super()._list(request, context)

    def _cancel(self, request: types.CancelPipelineJobRequest, context: grpc.ServicerContext) -> Any:
        answer = super()._cancel(request, context)
        self._engine.cancel(request.name.rpartition("/")[2])
        return answer

    def _look(self) -> None:
        """Bring every job that has not ended up to date."""
        with self._lock:
            for name, job in self.jobs.items():
                if job.state not in ENDED:
                    run_id = name.rpartition("/")[2]
                    self._show(job, run_id, self._engine.state(run_id))

    def _show(self, job: types.PipelineJob, run_id: str, state: EngineState) -> None:
        if state.status.ended:
            self._store(job)
        root = types.PipelineTaskDetail(task_id=ROOT_ID, task_name=run_id, state=TaskState.RUNNING)
        job.job_detail.task_details = [root]
        for number, step in enumerate(state.steps):
            task = types.PipelineTaskDetail(
                task_id=ROOT_ID + 1 + number,
                task_name=step.step_id,
                parent_task_id=ROOT_ID,
                state=_TASKS.get(step.status, TaskState.PENDING),
                create_time=step.started_at,
                start_time=step.started_at,
                end_time=step.ended_at,
            )
            if step.error:
                task.error = {"code": 9, "message": step.error}
            job.job_detail.task_details.append(task)
        if state.error:
            job.error = {"code": 9, "message": state.error}
        job.state = _STATES[state.status]

    def _store(self, job: types.PipelineJob) -> None:
        """Put what the run has written into the bucket, its paths named as the bucket's own."""
        prefix = str(job.runtime_config.gcs_output_directory)
        if prefix in self._stored:
            return
        self._stored.add(prefix)
        root = Path(prefix.replace(self._bucket, self._mount))
        for path in sorted(root.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                content = path.read_bytes()
                if path.suffix == ".json":
                    content = content.replace(self._mount.encode(), self._bucket.encode())
                self._storage.put(f"{prefix}/{path.relative_to(root)}", content)

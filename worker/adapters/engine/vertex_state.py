"""A PipelineJob as the state that the engine's port tells; the only place that knows Vertex's words for states."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from google.protobuf.json_format import MessageToDict

from worker.clock import EPOCH, from_us, to_us
from worker.costs.machine import by_name
from worker.engine.state import Status
from worker.runs.port import EngineState, StepState

#: CANCELLING may still end otherwise, and PAUSED may be resumed: neither has ended.
_RUNS: Mapping[str, Status] = {
    "PIPELINE_STATE_UNSPECIFIED": Status.PENDING,
    "PIPELINE_STATE_QUEUED": Status.QUEUED,
    "PIPELINE_STATE_PENDING": Status.PENDING,
    "PIPELINE_STATE_RUNNING": Status.RUNNING,
    "PIPELINE_STATE_SUCCEEDED": Status.SUCCEEDED,
    "PIPELINE_STATE_FAILED": Status.FAILED,
    "PIPELINE_STATE_CANCELLING": Status.RUNNING,
    "PIPELINE_STATE_CANCELLED": Status.CANCELLED,
    "PIPELINE_STATE_PAUSED": Status.RUNNING,
}
_HELD = {"PIPELINE_STATE_CANCELLING", "PIPELINE_STATE_PAUSED"}
#: SKIPPED is a cache hit, which has its outputs; NOT_TRIGGERED is a condition that was false.
_STEPS: Mapping[str, Status] = {
    "STATE_UNSPECIFIED": Status.PENDING,
    "PENDING": Status.PENDING,
    "RUNNING": Status.RUNNING,
    "SUCCEEDED": Status.SUCCEEDED,
    "CANCEL_PENDING": Status.RUNNING,
    "CANCELLING": Status.RUNNING,
    "CANCELLED": Status.CANCELLED,
    "FAILED": Status.FAILED,
    "SKIPPED": Status.SUCCEEDED,
    "NOT_TRIGGERED": Status.SKIPPED,
}


def state_of(job: Any) -> EngineState:
    """Return the state of a `PipelineJob`; a state that is not known yet counts as running."""
    word = _word(job.state)
    status = _RUNS.get(word, Status.RUNNING)
    if word in _HELD and not job.start_time:
        # What is cancelled or paused while it waits has not begun.
        status = Status.QUEUED
    paths = _paths(job)
    steps = tuple(_begun(job, paths, ended=status.ended)) + tuple(_waiting(job, paths, ended=status.ended))
    return EngineState(status, _run_error(job, status, steps), steps, tuple(_artifacts(job, paths)), _stalled(job))


def cancelling(job: Any) -> bool:
    """Whether a `PipelineJob` is about to be cancelled."""
    return _word(job.state) == "PIPELINE_STATE_CANCELLING"


def mark(job: Any) -> tuple[str, datetime | None]:
    """Return what tells whether a `PipelineJob` has changed, of what a list says of it, too."""
    return _word(job.state), _time(job.update_time)


def _stalled(job: Any) -> datetime | None:
    """Return since when a job has not moved: while it waits for a place, or until a person lets it go on."""
    word = _word(job.state)
    if word == "PIPELINE_STATE_PAUSED":
        return _time(job.update_time) or _time(job.create_time)
    waits = word in {"PIPELINE_STATE_QUEUED", "PIPELINE_STATE_PENDING", "PIPELINE_STATE_UNSPECIFIED"}
    return _time(job.create_time) if waits or (word in _HELD and not job.start_time) else None


def _begun(job: Any, paths: Mapping[int, str], *, ended: bool) -> Iterator[StepState]:
    """Yield the steps that Vertex tells of; a group that has begun is told by what is in it."""
    groups = {detail.parent_task_id for detail in job.job_detail.task_details}
    machines = by_name(_spec(job))
    for detail in _ordered(job):
        if detail.task_id not in paths or detail.task_id in groups:
            continue
        status = _STEPS.get(_word(detail.state), Status.RUNNING)
        yield StepState(
            paths[detail.task_id],
            Status.CANCELLED if ended and not status.ended else status,
            attempt=_attempts(detail.executor_detail),
            started_at=_time(detail.start_time),
            ended_at=_time(detail.end_time),
            error=_error(detail.error),
            machine=machines.get(detail.task_name),
        )


def _waiting(job: Any, paths: Mapping[int, str], *, ended: bool) -> Iterator[StepState]:
    """Yield the pipeline's own tasks that Vertex does not tell of yet."""
    status = Status.CANCELLED if ended else Status.PENDING
    for name in sorted(_declared(job) - set(paths.values())):
        yield StepState(name, status)


def _ordered(job: Any) -> Sequence[Any]:
    return sorted(job.job_detail.task_details, key=lambda detail: (_time(detail.create_time) or EPOCH, detail.task_id))


def _paths(job: Any) -> dict[int, str]:
    """Return task id -> path of names from the pipeline down; the same path again (a loop) gets a number in it."""
    details = {detail.task_id: detail for detail in job.job_detail.task_details}
    declared = _declared(job)
    seen: Counter[str] = Counter()
    paths: dict[int, str] = {}
    repeated = Counter("/".join(_names(detail, details, declared)) for detail in details.values())
    for detail in _ordered(job):
        names = _names(detail, details, declared)
        if not names:
            continue
        path = "/".join(names)
        number, seen[path] = seen[path], seen[path] + 1
        paths[detail.task_id] = path if repeated[path] == 1 else "/".join([*names[:-1], str(number), names[-1]])
    return paths


def _names(detail: Any, details: Mapping[int, Any], declared: set[str]) -> list[str]:
    """Return the names from the top, without the task that stands for the whole run."""
    names: list[str] = []
    known: set[int] = set()
    here: Any = detail
    while here is not None and here.task_id not in known:
        known.add(here.task_id)
        above = details.get(here.parent_task_id)
        if above is not None or here.task_name in declared:
            names.append(here.task_name)
        here = above
    return names[::-1]


def _declared(job: Any) -> set[str]:
    tasks = _spec(job).get("root", {}).get("dag", {}).get("tasks", {})
    return {task.get("taskInfo", {}).get("name") or key for key, task in tasks.items()}


def _spec(job: Any) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(type(job).pb(job).pipeline_spec)
    return found


def _attempts(executor: Any) -> int:
    """Count the jobs that were made for a step: the failed ones and the present one."""
    container, custom = executor.container_detail, executor.custom_job_detail
    jobs = {container.main_job, *container.failed_main_jobs, custom.job, *custom.failed_jobs} - {""}
    return max(1, len(jobs))


def _run_error(job: Any, status: Status, steps: Sequence[StepState]) -> str | None:
    if status is not Status.FAILED:
        return "paused on Vertex AI: resume or cancel it there" if _word(job.state) == "PIPELINE_STATE_PAUSED" else None
    failed = next((step for step in steps if step.status is Status.FAILED), None)
    return _error(job.error) or (f"{failed.step_id}: {failed.error}" if failed else "failed without a reason")


def _error(status: Any) -> str | None:
    return (status.message or f"code {status.code}") if status.code or status.message else None


def _artifacts(job: Any, paths: Mapping[int, str]) -> Iterator[Mapping[str, Any]]:
    for detail in _ordered(job):
        for name, listed in detail.outputs.items():
            for artifact in listed.artifacts:
                yield {
                    "step": paths.get(detail.task_id, detail.task_name),
                    "name": name,
                    "type": artifact.schema_title,
                    "uri": artifact.uri,
                    "metadata": MessageToDict(type(artifact).pb(artifact).metadata),
                }


def _word(state: Any) -> str:
    """Return the state's name; a number that this client does not know has none."""
    return str(getattr(state, "name", state))


def _time(moment: datetime | None) -> datetime | None:
    return None if moment is None else from_us(to_us(moment))

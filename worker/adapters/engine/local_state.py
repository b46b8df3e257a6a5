"""What the journal knows of a run, as the engine's port tells it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from worker.engine.facts import Facts
from worker.engine.graph import build
from worker.engine.inputs import Bound, bind_root
from worker.engine.plan import Leaf
from worker.engine.port import Job, TaskRecord
from worker.engine.progress import evaluate
from worker.engine.state import Status
from worker.errors import Rejected
from worker.runs.port import EngineState, StepState

#: How an artifact's type may be told, the best first.
_KINDS = ("schemaTitle", "schemaUri", "instanceSchema")


def state_of(job: Job, tasks: Sequence[TaskRecord]) -> EngineState:
    """Return the state of a run: every step in the order of its pipeline, also those that have not begun.

    A group (a condition, a loop) that was not reached or will not run stands for its steps.
    """
    records = {task.path: task for task in tasks}
    steps = []
    for leaf in _leaves(job, records):
        record = records.get(leaf.path)
        status = leaf.status if leaf.status.ended or record is None else record.status
        if job.status.ended and not status.ended:
            status = Status.CANCELLED
        steps.append(_step(leaf.path, status, leaf.error, record))
    return EngineState(job.status, job.error, tuple(steps), tuple(_artifacts(tasks)))


def outputs_of(job: Job, tasks: Sequence[TaskRecord]) -> Bound:
    """Return what the pipeline itself has given: nothing before it has succeeded. Raises Rejected for a bad spec."""
    graph = build(job.spec)
    given = bind_root(graph.spec, job.parameters)
    return evaluate(graph, given, {task.path: task for task in tasks}, facts_of(job)).outputs


def facts_of(job: Job) -> Facts:
    """Return what a run's steps may ask about it."""
    created = job.created.isoformat(timespec="milliseconds").replace("+00:00", "Z") if job.created else ""
    return Facts(job.run_id, job.output_dir, created)


def _leaves(job: Job, records: Mapping[str, TaskRecord]) -> Sequence[Leaf]:
    """Return the steps that follow from the spec; of a spec that is not understood (any more) those on record."""
    try:
        graph = build(job.spec)
        given, facts = bind_root(graph.spec, job.parameters), facts_of(job)
        return evaluate(graph, given, records, facts, cancelling=job.cancel_requested, fail_fast=job.fail_fast).leaves
    except Rejected:
        return [Leaf(record.path, record.status, record.error) for record in records.values()]


def _step(path: str, status: Status, error: str | None, record: TaskRecord | None) -> StepState:
    if record is None:
        return StepState(path, status, error=error)
    return StepState(
        path,
        status,
        record.attempt,
        started_at=record.started_at,
        ended_at=record.ended_at,
        error=record.error or error,
        log_tail=record.log_tail,
    )


def _artifacts(tasks: Sequence[TaskRecord]) -> Iterator[Mapping[str, Any]]:
    for task in tasks:
        for name, listed in task.outputs.get("artifacts", {}).items():
            for artifact in listed:
                yield {
                    "step": task.path,
                    "name": name,
                    "type": next(artifact["type"].get(kind) for kind in _KINDS if artifact["type"].get(kind)),
                    "uri": artifact["uri"],
                    "metadata": artifact.get("metadata", {}),
                }

"""How far a run is: from its graph, its parameters and the recorded tasks to what starts next, or to how it ended.

A pure function of what the journal holds, so that any process can go on where another stopped.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.engine import inputs
from worker.engine.graph import Graph, Task
from worker.engine.inputs import Bound, MissingOutputError
from worker.engine.port import TaskRecord
from worker.engine.state import Status
from worker.errors import Rejected


@dataclass(frozen=True)
class Launch:
    """A step that may start now.

    Attributes:
        component: its component's name in the spec.
        wait_s: the back-off since its last attempt ended.
    """

    path: str
    component: str
    bound: Bound
    attempt: int
    wait_s: float


@dataclass(frozen=True)
class Leaf:
    """The derived state of one step (or of a group that will not run, or is not reached yet)."""

    path: str
    status: Status
    error: str | None = None


@dataclass(frozen=True)
class Progress:
    """Everything that follows from the records; `leaves` in the order in which a reader expects them."""

    status: Status
    error: str | None
    launches: tuple[Launch, ...]
    leaves: tuple[Leaf, ...]


@dataclass
class _Result:
    """What one task, or a loop's iteration, has come to."""

    status: Status
    error: str | None = None
    outputs: Bound = field(default_factory=Bound)


def evaluate(graph: Graph, parameters: Mapping[str, Any], records: Mapping[str, TaskRecord]) -> Progress:
    """Return the progress of a run.

    Args:
        graph: the checked pipeline.
        parameters: the root's input parameters, cast (`inputs.bind_root`).
        records: the recorded steps by path. SKIPPED is derived anew; a failed step with retries left is PENDING.
    """
    walk = _Walk(graph, records)
    result = walk.dag("", "", Bound(parameters=parameters))
    failed = [leaf for leaf in walk.leaves if leaf.status is Status.FAILED]
    error = None
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        error = f"step {failed[0].path!r} failed: {failed[0].error}{more}"
    return Progress(result.status, error, tuple(walk.launches), tuple(walk.leaves))


class _Walk:
    """One pass over the graph; it meets each task after everything that the task needs."""

    def __init__(self, graph: Graph, records: Mapping[str, TaskRecord]) -> None:
        self.graph, self.records = graph, records
        self.launches: list[Launch] = []
        self.leaves: list[Leaf] = []

    def dag(self, component: str, path: str, scope: Bound) -> _Result:
        """Return what a DAG has come to, given its inputs."""
        results: dict[str, _Result] = {}
        for task in self.graph.dags[component]:
            results[task.key] = self.task(task, f"{path}{task.name}", scope, results)
        status = _joined(results.values())
        if status is not Status.SUCCEEDED:
            return _Result(status)
        dag = self.graph.component(component).dag
        return _Result(status, outputs=inputs.selected(dag, {k: r.outputs for k, r in results.items()}))

    def task(self, task: Task, path: str, scope: Bound, results: Mapping[str, _Result]) -> _Result:
        """Return what one task has come to; it runs once all that it needs has succeeded and its condition holds."""
        needed = {key: results[key] for key in task.needs}
        broken = next((k for k, r in needed.items() if r.status.ended and r.status is not Status.SUCCEEDED), None)
        if broken is not None:
            status = needed[broken].status
            mine = Status.CANCELLED if status is Status.CANCELLED else Status.SKIPPED
            return self.ended(path, mine, f"needs {broken!r}, which {_word(status)}")
        if any(not result.status.ended for result in needed.values()):
            return self.ended(path, Status.PENDING, None)
        try:
            bound = inputs.bind(task, scope, {key: result.outputs for key, result in results.items()})
            return self.begun(task, path, bound)
        except MissingOutputError as error:
            return self.ended(path, Status.SKIPPED, str(error))
        except Rejected as error:
            return self.ended(path, Status.FAILED, str(error))

    def begun(self, task: Task, path: str, bound: Bound) -> _Result:
        """Return what a task has come to whose needs are met."""
        if task.condition and not inputs.holds(self.graph, task, bound):
            return self.ended(path, Status.SKIPPED, f"the condition does not hold: {task.condition.text}")
        if task.loops:
            return self.loop(task, path, bound)
        return self.instance(task, path, inputs.complete(self.graph, task, bound))

    def ended(self, path: str, status: Status, error: str | None) -> _Result:
        """Note a task that has no steps of its own to show (it may be a group)."""
        self.leaves.append(Leaf(path, status, error))
        return _Result(status, error)

    def loop(self, task: Task, path: str, bound: Bound) -> _Result:
        """Return what a loop has come to; beyond its limit no iteration begins before an earlier one has ended."""
        limit = task.spec.iterator_policy.parallelism_limit
        results: list[_Result] = []
        active = 0
        for number, scope in enumerate(self.iterations(task, path, bound)):
            begun = len(self.launches)
            if isinstance(scope, Rejected):
                results.append(self.ended(f"{path}/{number}", Status.FAILED, str(scope)))
                continue
            results.append(self.instance(task, f"{path}/{number}", scope))
            if not results[-1].status.ended:
                active += 1
                if limit and active > limit:
                    del self.launches[begun:]
        status = _joined(results)
        if status is not Status.SUCCEEDED:
            return _Result(status)
        component = self.graph.component(task.spec.component_ref.name)
        return _Result(status, outputs=inputs.collected(component, [result.outputs for result in results]))

    def iterations(self, task: Task, path: str, bound: Bound) -> Iterator[Bound | Rejected]:
        """Give each iteration's inputs, or why they cannot be."""
        for item in inputs.items(task, bound, path):
            try:
                yield inputs.complete(self.graph, task, bound, item)
            except Rejected as error:
                yield error

    def instance(self, task: Task, path: str, bound: Bound) -> _Result:
        """Return what one running of a component has come to."""
        name = task.spec.component_ref.name
        if self.graph.component(name).dag is not None:
            return self.dag(name, f"{path}/", bound)
        record = self.records.get(path)
        if record is None or record.status in (Status.PENDING, Status.QUEUED, Status.SKIPPED):
            attempt = record.attempt if record else 1
            retry = task.spec.retry_policy
            wait = retry.delay_s(attempt - 1) if retry and attempt > 1 else 0.0
            self.launches.append(Launch(path, name, bound, attempt, wait))
            return self.ended(path, Status.PENDING, record.error if record else None)
        result = self.ended(path, record.status, record.error)
        if record.status is Status.SUCCEEDED:
            result.outputs = inputs.recorded(record.outputs)
        return result


def retries(graph: Graph, path: str) -> int:
    """Return how often the step at a path may be tried again after a failure."""
    dag = ""
    segments = path.split("/")
    while True:
        task = next(task for task in graph.dags[dag] if task.name == segments[0])
        dag = task.spec.component_ref.name
        segments = segments[2:] if task.loops else segments[1:]
        if not segments:
            return task.spec.retry_policy.max_retry_count if task.spec.retry_policy else 0


def _joined(results: Sequence[_Result] | Any) -> Status:
    states = [result.status for result in results]
    if any(not state.ended for state in states):
        return Status.RUNNING
    if Status.CANCELLED in states:
        return Status.CANCELLED
    return Status.FAILED if Status.FAILED in states else Status.SUCCEEDED


def _word(status: Status) -> str:
    return {Status.FAILED: "failed", Status.SKIPPED: "was skipped"}.get(status, "was cancelled")

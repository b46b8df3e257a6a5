"""How far a run is: from its graph, its parameters and the recorded tasks to what starts next, or to how it ended.

A pure function of what the journal holds, so that any process can go on where another stopped.
"""

from collections.abc import Mapping
from typing import Any

from worker.engine import inputs, outputs
from worker.engine.facts import Facts
from worker.engine.graph import Graph, Task
from worker.engine.inputs import Around, Bound, MissingOutputError
from worker.engine.plan import Again, Launch, Leaf, Progress
from worker.engine.port import TaskRecord
from worker.engine.results import Memo, Result, first_error, folders, is_broken, joined, word
from worker.engine.state import Status
from worker.errors import Rejected

_LATER = Result(Status.PENDING)
_WAITING = (Status.PENDING, Status.QUEUED, Status.SKIPPED)


def evaluate(  # noqa: PLR0913 (what a run is, and how it is looked at, each by its name)
    graph: Graph,
    given: Bound,
    records: Mapping[str, TaskRecord],
    facts: Facts | None = None,
    *,
    cancelling: bool = False,
    fail_fast: bool = False,
    memo: Memo | None = None,
) -> Progress:
    """Return the progress of a run.

    Args:
        graph: the checked pipeline.
        given: the root's inputs (`inputs.bind_root`).
        records: the recorded steps by path. SKIPPED is derived anew; a failed step with retries left is PENDING.
        facts: what steps may ask about the run.
        cancelling: nothing more is to begin, but what runs always.
        fail_fast: the same once a step has failed for good; what has begun goes on.
        memo: of earlier calls for the same run: wide loops are then not gone through in full each time. Nothing else
            changes, but that loops show only some of the iterations that have not begun.
    """
    if cancelling or fail_fast:
        memo = None
    walk = _Walk(graph, records, facts or Facts(), cancelling=cancelling, memo=memo)
    result = walk.dag("", "", given)
    if fail_fast and walk.has_failed():
        walk = _Walk(graph, records, facts or Facts(), cancelling=cancelling, stopping=True)
        result = walk.dag("", "", given)
    failed = [leaf for leaf in walk.leaves if leaf.status is Status.FAILED]
    error = None
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        error = f"step {failed[0].path!r} failed: {failed[0].error}{more}"
    return Progress(result.status, error, tuple(walk.launches), tuple(walk.leaves), tuple(walk.again), result.outputs)


class _Walk:
    """One pass over the graph; it meets each task after everything that the task needs."""

    def __init__(
        self,
        graph: Graph,
        records: Mapping[str, TaskRecord],
        facts: Facts,
        *,
        cancelling: bool,
        stopping: bool = False,
        memo: Memo | None = None,
    ) -> None:
        self.graph, self.records, self.facts = graph, records, facts
        self.cancelling, self.stopping = cancelling, stopping
        self.memo = memo
        self.begun_paths = folders(records) if memo else frozenset()
        self.sheltered = False
        self.launches: list[Launch] = []
        self.leaves: list[Leaf] = []
        self.again: list[Again] = []

    def has_failed(self) -> bool:
        """Whether a step has failed that will not be tried again with its DAG."""
        tried = tuple(again.path for again in self.again)
        return any(leaf.status is Status.FAILED and not leaf.path.startswith(tried) for leaf in self.leaves)

    def dag(self, component: str, path: str, scope: Bound) -> Result:
        """Return what a DAG has come to, given its inputs."""
        results: dict[str, Result] = {}
        for task in self.graph.dags[component]:
            outer, self.sheltered = self.sheltered, self.sheltered or task.always
            results[task.key] = self.task(task, f"{path}{task.name}", scope, results)
            results[task.key].name = task.name
            self.sheltered = outer
        status = joined(results.values())
        if status is not Status.SUCCEEDED:
            return Result(status, first_error(results.values(), status))
        dag = self.graph.component(component).dag
        return Result(status, outputs=outputs.selected(dag, {k: r.outputs for k, r in results.items()}))

    def task(self, task: Task, path: str, scope: Bound, results: Mapping[str, Result]) -> Result:
        """Return what one task has come to; it runs once all that it needs has succeeded (or ended, if always)."""
        needed = {key: results[key] for key in task.needs}
        broken = None if task.always else next((k for k, r in needed.items() if is_broken(r.status)), None)
        if broken is not None:
            status = needed[broken].status
            mine = Status.CANCELLED if status is Status.CANCELLED else Status.SKIPPED
            return self.ended(path, mine, f"needs {broken!r}, which {word(status)}")
        if any(not result.status.ended for result in needed.values()):
            return self.ended(path, Status.PENDING, None)
        try:
            bound = inputs.bind(task, self.around(task, path, scope, results))
            return self.begun(task, path, bound)
        except MissingOutputError as error:
            return self.ended(path, Status.SKIPPED, str(error))
        except Rejected as error:
            return self.ended(path, Status.FAILED, str(error))

    def around(self, task: Task, path: str, scope: Bound, results: Mapping[str, Result]) -> Around:
        """Return what the task's wiring can reach."""

        def end(key: str) -> Mapping[str, Any]:
            of = results[key]
            return outputs.final_status(of.name, of.status, of.error, self.facts.resource)

        made = {key: result.outputs for key, result in results.items()}
        return Around(scope, made, end, self.facts.of_task(task.name, path))

    def begun(self, task: Task, path: str, bound: Bound) -> Result:
        """Return what a task has come to whose needs are met."""
        if task.condition and not inputs.holds(self.graph, task, bound):
            return self.ended(path, Status.SKIPPED, f"the condition does not hold: {task.condition.text}")
        if task.loops:
            return self.loop(task, path, bound)
        return self.instance(task, path, inputs.complete(self.graph, task, bound))

    def ended(self, path: str, status: Status, error: str | None) -> Result:
        """Note a task that has no steps of its own to show (it may be a group)."""
        if status is Status.PENDING and self.cancelling and not self.sheltered:
            status, error = Status.CANCELLED, "cancelled"
        known = self.records.get(path)
        begun = known is not None and known.status is not Status.SKIPPED
        if status is Status.PENDING and self.stopping and not self.sheltered and not begun:
            status, error = Status.SKIPPED, "another step failed, and this run fails fast"
        self.leaves.append(Leaf(path, status, error))
        return Result(status, error)

    def loop(self, task: Task, path: str, bound: Bound) -> Result:
        """Return what a loop has come to; beyond its limit no iteration begins before an earlier one has ended."""
        limit = task.spec.iterator_policy.parallelism_limit
        results: list[Result] = []
        active = 0
        for number, item in enumerate(inputs.items(task, bound, path)):
            begun, retried = len(self.launches), len(self.again)
            results.append(self.iteration(task, f"{path}/{number}", bound, item))
            if not results[-1].status.ended:
                active += 1
                if limit and active > limit:
                    del self.launches[begun:], self.again[retried:]
        status = joined(results)
        if status is not Status.SUCCEEDED:
            return Result(status, first_error(results, status))
        component = self.graph.component(task.spec.component_ref.name)
        return Result(status, outputs=outputs.collected(component, [result.outputs for result in results]))

    def iteration(self, task: Task, path: str, bound: Bound, item: Any) -> Result:
        """Return what one iteration of a loop has come to; with a memo, what has ended or waits for others is quick."""
        known = self.memo.ended.get(path) if self.memo else None
        if known:
            self.leaves += known[1]
            return known[0]
        if self.memo and len(self.launches) >= self.memo.enough and path not in self.begun_paths:
            return _LATER
        first = len(self.leaves)
        try:
            result = self.instance(task, path, inputs.complete(self.graph, task, bound, item))
        except Rejected as error:
            result = self.ended(path, Status.FAILED, str(error))
        if self.memo and result.status.ended:
            self.memo.ended[path] = (result, tuple(self.leaves[first:]))
        return result

    def instance(self, task: Task, path: str, bound: Bound) -> Result:
        """Return what one running of a component has come to."""
        if self.graph.component(task.spec.component_ref.name).dag is not None:
            return self.group(task, path, bound)
        record = self.records.get(path)
        if record is None or record.status in _WAITING:
            result = self.ended(path, Status.PENDING, record.error if record else None)
            if not result.status.ended:
                self.launches.append(self.launch(task, path, bound, record.attempt if record else 1))
            return result
        result = self.ended(path, record.status, record.error)
        if record.status is Status.SUCCEEDED:
            result.outputs = outputs.recorded(record.outputs)
        return result

    def launch(self, task: Task, path: str, bound: Bound, attempt: int) -> Launch:
        """Return a step's next attempt."""
        policy = task.spec.retry_policy
        wait = policy.delay_s(attempt - 1) if policy and attempt > 1 else 0.0
        component, caching = task.spec.component_ref.name, task.spec.caching_options
        return Launch(path, component, task.name, bound, attempt, wait, self.sheltered, caching)

    def group(self, task: Task, path: str, bound: Bound) -> Result:
        """Return what a DAG's newest attempt has come to; each attempt's steps have paths of their own."""
        record = self.records.get(path)
        attempt = record.attempt if record else 1
        prefix = path if attempt == 1 else f"{path}~{attempt}"
        result = self.dag(task.spec.component_ref.name, f"{prefix}/", bound)
        policy = task.spec.retry_policy
        if result.status is not Status.FAILED or policy is None or attempt > policy.max_retry_count:
            return result
        if self.cancelling and not self.sheltered:
            return Result(Status.CANCELLED, result.error)
        error = f"attempt {attempt}: {result.error}"
        self.again.append(Again(path, attempt + 1, policy.delay_s(attempt), error))
        return Result(Status.RUNNING)


def retries(graph: Graph, path: str) -> int:
    """Return how often the step at a path may be tried again after a failure."""
    dag = ""
    segments = [segment.partition("~")[0] for segment in path.split("/")]
    while True:
        task = next(task for task in graph.dags[dag] if task.name == segments[0])
        dag = task.spec.component_ref.name
        segments = segments[2:] if task.loops else segments[1:]
        if not segments:
            return task.spec.retries

"""Random trees of steps, branches and loops, with failures, retries and clean-ups, against a naive interpreter."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.engine.recipe import Recipe, outer, output
from worker.engine.graph import Graph, build
from worker.engine.inputs import Bound
from worker.engine.plan import Launch, Progress
from worker.engine.port import TaskRecord
from worker.engine.progress import evaluate, retries
from worker.engine.results import Memo
from worker.engine.state import Status


@dataclass
class Node:
    """A task of the tree.

    Attributes:
        needs: keys of earlier steps of the same block, whose outputs it takes (`always`: that it waits for).
        failures: how many attempts of a step fail.
        holds: what a branch's condition comes to, None for what has none.
        items: how many items a loop goes over, None for what is no loop.
        body: of a branch or loop.
    """

    key: str
    needs: list[str]
    failures: int = 0
    retries: int = 0
    always: bool = False
    holds: bool | None = None
    items: int | None = None
    limit: int = 0
    body: list["Node"] = field(default_factory=list)


@st.composite
def blocks(draw: st.DrawFn, numbers: Iterator[int] | None = None, depth: int = 2) -> list[Node]:
    """Return a random block of tasks."""
    numbers = numbers or count()
    block: list[Node] = []
    for _ in range(draw(st.integers(1, 4))):
        steps = [node.key for node in block if not node.body]
        node = Node(f"t{next(numbers)}", draw(st.lists(st.sampled_from(steps), unique=True)) if steps else [])
        kind = draw(st.sampled_from(["step", "step", "branch", "loop"])) if depth else "step"
        if kind == "step":
            node.failures, node.retries = draw(st.sampled_from([(0, 0), (0, 0), (1, 0), (1, 1), (2, 1), (1, 2)]))
            node.always = draw(st.integers(0, 5)) == 0
        else:
            node.body = draw(blocks(numbers, depth - 1))
        if kind == "branch":
            node.holds = draw(st.booleans())
        if kind == "loop":
            node.items, node.limit = draw(st.integers(0, 3)), draw(st.integers(0, 2))
        block.append(node)
    return block


def written(block: list[Node], recipe: Recipe, into: dict[str, Any] | None, *, looped: bool) -> Recipe:
    """Add a block to a pipeline; within a loop every step takes the item."""
    for node in block:
        wired = {} if node.always else {f"from-{key}": output(f"{key}.x") for key in node.needs}
        takes = dict.fromkeys(wired, "STRING")
        after = node.needs if node.always else ()
        if looped:
            takes["item"], wired["item"] = "NUMBER_INTEGER", outer("item")
        if not node.body:
            retry = {"maxRetryCount": node.retries, "backoffDuration": "0s"} if node.retries else None
            recipe.step(node.key, takes=takes, wired=wired, after=after, gives={"x": "STRING"}, retry=retry, into=into)
            if node.always:
                (recipe.tasks if into is None else into)[node.key]["triggerPolicy"] = {
                    "strategy": "ALL_UPSTREAM_TASKS_COMPLETED"
                }
            continue
        more: dict[str, Any] = {}
        if node.items is not None:
            takes["item"] = "NUMBER_INTEGER"
            wired.pop("item", None)
            raw = str(list(range(node.items)))
            more = {"parameterIterator": {"items": {"raw": raw}, "itemInput": "item"}}
            more["iteratorPolicy"] = {"parallelismLimit": node.limit}
        if node.holds is not None:
            takes["c"], wired["c"] = "STRING", {"runtimeValue": {"constant": "yes"}}
            sign = "==" if node.holds else "!="
            more = {"triggerPolicy": {"condition": f"inputs.parameter_values['c'] {sign} 'yes'"}}
        tasks = recipe.group(node.key, takes=takes, wired=wired, into=into, **more)
        written(node.body, recipe, tasks, looped=looped or node.items is not None)
    return recipe


def expected(block: list[Node], prefix: str, states: dict[str, Status]) -> Status:
    """Interpret a block: note how each of its steps (or groups that do not run) ends, and return how the block does."""
    ends: dict[str, Status] = {}
    for node in block:
        broken = not node.always and any(ends[key] is not Status.SUCCEEDED for key in node.needs)
        path = f"{prefix}{node.key}"
        if broken or node.holds is False:
            ends[node.key] = states[path] = Status.SKIPPED
        elif not node.body:
            good = node.failures <= node.retries
            ends[node.key] = states[path] = Status.SUCCEEDED if good else Status.FAILED
        else:
            folders = [path] if node.items is None else [f"{path}/{number}" for number in range(node.items)]
            inner = [expected(node.body, f"{folder}/", states) for folder in folders]
            ends[node.key] = Status.FAILED if Status.FAILED in inner else Status.SUCCEEDED
    return Status.FAILED if Status.FAILED in ends.values() else Status.SUCCEEDED


def nodes(block: list[Node]) -> Iterator[Node]:
    """Give all tasks of a tree."""
    for node in block:
        yield node
        yield from nodes(node.body)


class World:
    """A run whose steps end as the tree says, in any order."""

    def __init__(self, block: list[Node], memo: Memo | None) -> None:
        """Begin."""
        self.graph: Graph = build(written(block, Recipe(), None, looped=False).document)
        self.nodes = {node.key: node for node in nodes(block)}
        self.records: dict[str, TaskRecord] = {}
        self.memo = memo

    def progress(self) -> Progress:
        """Return how far it is, and begin what may begin."""
        progress = evaluate(self.graph, Bound(), self.records, memo=self.memo)
        for launch in progress.launches:
            self.check(launch)
            self.records[launch.path] = TaskRecord(launch.path, Status.RUNNING, launch.attempt)
        for node in self.nodes.values():
            if node.limit:
                self.check_limit(node)
        return progress

    def check(self, launch: Launch) -> None:
        """Check that a step may begin: its inputs exist and are the right ones, and it has not succeeded before."""
        known = self.records.get(launch.path)
        assert known is None or (known.status is Status.PENDING and known.attempt == launch.attempt)
        folder, _, key = launch.path.rpartition("/")
        beside = f"{folder}/" if folder else ""
        needed = {need: self.records.get(f"{beside}{need}") for need in self.nodes[key].needs}
        if not self.nodes[key].always:
            assert all(record and record.status is Status.SUCCEEDED for record in needed.values())
            given_ = {name: value for name, value in launch.bound.parameters.items() if name != "item"}
            assert given_ == {f"from-{need}": f"{beside}{need}" for need in needed}
        numbers = [part for part in launch.path.split("/") if part.isdecimal()]
        assert launch.bound.parameters.get("item") == (int(numbers[-1]) if numbers else None)

    def check_limit(self, node: Node) -> None:
        """Check that no more iterations of a loop are under way than may be."""
        active: dict[str, set[str]] = {}
        for path, record in self.records.items():
            folder, loop, rest = path.partition(f"{node.key}/")
            if loop and record.status is Status.RUNNING:
                active.setdefault(folder, set()).add(rest.partition("/")[0])
        assert all(len(iterations) <= node.limit for iterations in active.values())

    def end(self, path: str) -> None:
        """End the running attempt of a step."""
        record, node = self.records[path], self.nodes[path.rpartition("/")[2]]
        if record.attempt > node.failures:
            self.records[path] = TaskRecord(path, Status.SUCCEEDED, record.attempt, outputs={"parameters": {"x": path}})
        elif record.attempt > retries(self.graph, path):
            self.records[path] = TaskRecord(path, Status.FAILED, record.attempt)
        else:
            self.records[path] = TaskRecord(path, Status.PENDING, record.attempt + 1)


@settings(deadline=None, max_examples=150)
@given(blocks(), st.none() | st.integers(1, 3), st.data())
def test_as_interpreted(block: list[Node], enough: int | None, data: st.DataObject) -> None:
    """In any order of ends each step ends as the tree says, begins with its inputs, and none after it has succeeded.

    With what is known from earlier looks, or without.
    """
    world = World(block, Memo(enough) if enough else None)
    while not (progress := world.progress()).status.ended:
        running = [path for path, record in world.records.items() if record.status is Status.RUNNING]
        assert running
        world.end(data.draw(st.sampled_from(running)))

    states: dict[str, Status] = {}
    assert progress.status is expected(block, "", states)
    assert {leaf.path: leaf.status for leaf in progress.leaves} == states

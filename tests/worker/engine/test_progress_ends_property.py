"""Random DAGs in which some steps run always, some fail, and the run may be cancelled at any moment or fail fast."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.engine.recipe import Recipe
from worker.engine.graph import build
from worker.engine.inputs import Bound
from worker.engine.port import TaskRecord
from worker.engine.progress import evaluate
from worker.engine.state import Status

Needs = dict[str, list[str]]


@st.composite
def dags(draw: st.DrawFn) -> tuple[Needs, set[str], set[str]]:
    """Return a random DAG (step → what it needs), which of its steps fail, and which run always."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 8)))]
    needs = {name: draw(st.lists(st.sampled_from(names[:n]), unique=True)) if n else [] for n, name in enumerate(names)}
    return needs, draw(st.sets(st.sampled_from(names))), draw(st.sets(st.sampled_from(names)))


def recipe_of(needs: Needs, always: set[str]) -> Recipe:
    """Return the pipeline."""
    recipe = Recipe()
    for name, givers in needs.items():
        recipe.step(name, after=givers)
        if name in always:
            recipe.tasks[name]["triggerPolicy"] = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    return recipe


@settings(deadline=None, max_examples=150)
@given(dags(), st.data(), st.booleans())
def test_invariants(case: tuple[Needs, set[str], set[str]], data: st.DataObject, fast: bool) -> None:  # noqa: FBT001
    """Whatever fails or is cancelled: each step begins once, after what it needs; what runs always runs; all ends."""
    needs, failing, always = case
    graph = build(recipe_of(needs, always).document)
    records: dict[str, TaskRecord] = {}
    cancelling = broke = False
    began: dict[str, bool] = {}
    while True:
        cancelling = cancelling or data.draw(st.integers(0, 9)) == 0
        progress = evaluate(graph, Bound(), records, cancelling=cancelling, fail_fast=fast)
        for launch in progress.launches:
            assert launch.path not in began
            ended = [leaf.status for leaf in progress.leaves if leaf.path in needs[launch.path]]
            assert all(status.ended for status in ended)
            assert launch.path in always or all(status is Status.SUCCEEDED for status in ended)
            assert launch.path in always or not (cancelling or (fast and broke))
            began[launch.path] = cancelling
            records[launch.path] = TaskRecord(launch.path, Status.RUNNING)
        running = [path for path, record in records.items() if record.status is Status.RUNNING]
        if not running:
            break
        assert not progress.status.ended
        path = data.draw(st.sampled_from(running))
        killed = cancelling and path not in always
        status = Status.CANCELLED if killed else Status.FAILED if path in failing else Status.SUCCEEDED
        broke = broke or status is Status.FAILED
        records[path] = TaskRecord(path, status)

    final = evaluate(graph, Bound(), records, cancelling=cancelling, fail_fast=fast)
    states = {leaf.path: leaf.status for leaf in final.leaves}
    assert final.status.ended
    assert always <= set(began)
    assert all(status.ended for status in states.values())
    if Status.CANCELLED in states.values():
        assert final.status is Status.CANCELLED
    else:
        assert final.status is (Status.FAILED if broke else Status.SUCCEEDED)

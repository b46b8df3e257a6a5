from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.engine.recipe import Recipe, output
from worker.engine.graph import build
from worker.engine.inputs import Bound
from worker.engine.port import TaskRecord
from worker.engine.progress import evaluate
from worker.engine.state import Status


@st.composite
def dags(draw: st.DrawFn) -> tuple[dict[str, list[str]], set[str]]:
    """Return a random DAG (step → what it needs), and which of its steps fail."""
    size = draw(st.integers(1, 9))
    names = [f"s{number}" for number in range(size)]
    needs = {name: draw(st.lists(st.sampled_from(names[:n]), unique=True)) if n else [] for n, name in enumerate(names)}
    failing = draw(st.sets(st.sampled_from(names)))
    return needs, failing


def recipe_of(needs: dict[str, list[str]]) -> Recipe:
    """Return the pipeline: each step takes an output of every step that it needs."""
    recipe = Recipe()
    for name, givers in needs.items():
        wired = {f"from-{giver}": output(f"{giver}.x") for giver in givers}
        recipe.step(name, takes=dict.fromkeys(wired, "STRING"), wired=wired, gives={"x": "STRING"})
    return recipe


@settings(deadline=None, max_examples=150)
@given(dags(), st.data())
def test_invariants(case: tuple[dict[str, list[str]], set[str]], data: st.DataObject) -> None:
    """In any order of ends: nothing starts before its inputs exist or twice, and the end follows from the steps."""
    needs, failing = case
    graph = build(recipe_of(needs).document)
    records: dict[str, TaskRecord] = {}
    started: list[str] = []
    while not (progress := evaluate(graph, Bound(), records)).status.ended:
        for launch in progress.launches:
            assert launch.path not in started
            assert all(records[giver].status is Status.SUCCEEDED for giver in needs[launch.path])
            assert launch.bound.parameters == {f"from-{giver}": giver for giver in needs[launch.path]}
            started.append(launch.path)
            records[launch.path] = TaskRecord(launch.path, Status.RUNNING)
        running = [path for path, record in records.items() if record.status is Status.RUNNING]
        assert running
        path = data.draw(st.sampled_from(running))
        status = Status.FAILED if path in failing else Status.SUCCEEDED
        records[path] = TaskRecord(path, status, outputs={"parameters": {"x": path}})

    broken = set()
    for name, givers in needs.items():
        if name in failing or broken & set(givers):
            broken.add(name)
    states = {leaf.path: leaf.status for leaf in progress.leaves}
    assert {path for path, status in states.items() if status is not Status.SUCCEEDED} == broken
    assert set(started) == {name for name in needs if not broken & set(needs[name])}
    assert progress.status is (Status.FAILED if broken else Status.SUCCEEDED)

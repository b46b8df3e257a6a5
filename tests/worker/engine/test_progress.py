from collections.abc import Mapping
from typing import Any

import pytest

from tests.worker.engine.recipe import Recipe, constant, outer, output
from worker.engine.graph import Graph, build
from worker.engine.inputs import bind_root
from worker.engine.plan import Progress
from worker.engine.port import TaskRecord
from worker.engine.progress import evaluate, retries
from worker.engine.state import Status
from worker.errors import Rejected

STRING = {"x": "STRING"}


class Run:
    """A run whose steps end as the test says."""

    def __init__(self, recipe: Recipe, parameters: Mapping[str, Any] | None = None) -> None:
        """Begin with nothing recorded."""
        self.graph: Graph = build(recipe.document)
        self.parameters = bind_root(self.graph.spec, parameters or {})
        self.records: dict[str, TaskRecord] = {}

    def now(self) -> Progress:
        """Return the progress."""
        return evaluate(self.graph, self.parameters, self.records)

    def ready(self) -> list[str]:
        """Return the paths of what may start."""
        return [launch.path for launch in self.now().launches]

    def given(self, path: str) -> Mapping[str, Any]:
        """Return the input parameters of what may start."""
        return next(launch.bound.parameters for launch in self.now().launches if launch.path == path)

    def end(self, path: str, status: Status = Status.SUCCEEDED, **parameters: Any) -> None:
        """Record how a step ended."""
        self.records[path] = TaskRecord(path, status, outputs={"parameters": parameters}, error="broke")

    def states(self) -> dict[str, str]:
        """Return each step's derived state."""
        return {leaf.path: str(leaf.status) for leaf in self.now().leaves}


def test_data_flows() -> None:
    """A step starts once what it needs has succeeded, with the values that were given, and the run ends with all."""
    recipe = Recipe({"n": ("NUMBER_INTEGER", 2.0)}).step("a", gives=STRING)
    takes = {"s": "STRING", "n": "NUMBER_INTEGER", "c": "STRUCT", "o": ("STRING", "dflt")}
    wired = {"s": output("a.x"), "n": outer("n"), "c": constant({"k": 1})}
    run = Run(recipe.step("b", takes=takes, wired=wired))

    assert run.ready() == ["a"]
    run.end("a", x="one")
    assert run.ready() == ["b"]
    assert run.given("b") == {"s": "one", "n": 2, "c": {"k": 1}, "o": "dflt"}
    run.end("b")
    assert run.now().status is Status.SUCCEEDED


def test_failure_is_slow() -> None:
    """After a failure what does not need the failed step goes on; the run fails when all has ended, naming the step."""
    run = Run(Recipe().step("a").step("b").step("c", after=["a"]).step("d", after=["b"]))
    run.end("a", Status.FAILED)

    assert run.ready() == ["b"]
    run.end("b")
    assert run.now().status is Status.RUNNING
    run.end("d")
    assert (run.now().status, run.states()["c"]) == (Status.FAILED, "skipped")
    assert "'a' failed: broke" in str(run.now().error)


@pytest.mark.parametrize(("value", "expected"), [("go", ["c/yes"]), ("no", [])])
def test_condition(value: str, expected: list[str]) -> None:
    """A condition decides with real values; a skipped group takes along all that needs it, and the run succeeds."""
    recipe = Recipe().step("a", gives=STRING)
    trigger = {"triggerPolicy": {"condition": "inputs.parameter_values['v'] == 'go'"}}
    inner = recipe.group("c", takes={"v": "STRING"}, wired={"v": output("a.x")}, **trigger)
    recipe.step("yes", into=inner).step("after", after=["c"])
    run = Run(recipe)
    run.end("a", x=value)

    assert run.ready() == expected
    if not expected:
        assert (run.states()["c"], run.states()["after"]) == ("skipped", "skipped")
        assert run.now().status is Status.SUCCEEDED


def loop(items: Any, *, limit: int = 0) -> Run:
    """Return a run that doubles each of `items` in a loop and takes the list of them."""
    recipe = Recipe({"items": "LIST"})
    inner = recipe.group(
        "l",
        takes={"item": "STRING", "list": "LIST"},
        wired={"list": outer("items")},
        parameterIterator={"itemInput": "item", "items": {"inputParameter": "list"}},
        **({"iteratorPolicy": {"parallelismLimit": limit}} if limit else {}),
    )
    recipe.step("w", takes=STRING, wired={"x": outer("item")}, gives={"y": "STRING"}, into=inner)
    recipe.collect("l", "all", "w.y").step("z", takes={"l": "LIST"}, wired={"l": output("l.all")})
    return Run(recipe, {"items": items})


def test_loop() -> None:
    """Iterations start together, and what they give is collected in the order of the items."""
    run = loop(["p", "q"])

    assert run.ready() == ["l/0/w", "l/1/w"]
    run.end("l/1/w", y="qq")
    run.end("l/0/w", y="pp")
    assert (run.ready(), run.given("z")) == (["z"], {"l": ["pp", "qq"]})


def test_empty_loop() -> None:
    """A loop over nothing succeeds at once and gives an empty list."""
    run = loop([])

    assert (run.ready(), run.given("z")) == (["z"], {"l": []})


def test_parallelism() -> None:
    """No more iterations are open than the loop allows, and the next begins when one has ended."""
    run = loop(["a", "b", "c", "d"], limit=2)

    assert run.ready() == ["l/0/w", "l/1/w"]
    run.end("l/0/w", Status.RUNNING)
    assert run.ready() == ["l/1/w"]
    run.end("l/0/w", y="")
    assert run.ready() == ["l/1/w", "l/2/w"]


def test_failure_in_a_loop() -> None:
    """A failed iteration does not stop the others; the loop fails, and what needs its list is skipped."""
    run = loop(["a", "b"])
    run.end("l/0/w", Status.FAILED)

    assert run.ready() == ["l/1/w"]
    run.end("l/1/w", y="")
    assert (run.now().status, run.states()["z"]) == (Status.FAILED, "skipped")


def test_wrong_item() -> None:
    """An item that is not what the step takes fails that iteration with the reason, before it starts."""
    run = loop(["a", 3])

    assert run.ready() == ["l/0/w"]
    assert run.states()["l/1"] == "failed"


def test_structs_in_a_loop() -> None:
    """A loop over structs gives a step the fields that it selects, as the types it declares."""
    recipe = Recipe()
    inner = recipe.group(
        "l",
        takes={"pipelinechannel--item": "STRUCT"},
        parameterIterator={"itemInput": "pipelinechannel--item", "items": {"raw": '[{"a": 1, "b": "x"}]'}},
    )
    select = {
        "componentInputParameter": "pipelinechannel--item",
        "parameterExpressionSelector": 'parseJson(string_value)["%s"]',
    }
    wired = {
        name: {**select, "parameterExpressionSelector": select["parameterExpressionSelector"] % name} for name in "ab"
    }
    recipe.step("w", takes={"a": "NUMBER_INTEGER", "b": "STRING"}, wired=wired, into=inner)

    assert Run(recipe).given("l/0/w") == {"a": 1, "b": "x"}


def test_text_in_a_constant() -> None:
    """A constant text takes in the task's other inputs."""
    recipe = Recipe({"pipelinechannel--n": ("NUMBER_INTEGER", 7)})
    channel = "pipelinechannel--n"
    wired = {"x": constant(f"pre-{{{{$.inputs.parameters['{channel}']}}}}-post"), channel: outer(channel)}
    recipe.step("a", takes=STRING, wired=wired)

    assert Run(recipe).given("a") == {"x": "pre-7-post"}


def test_retry_waits_longer_each_time() -> None:
    """A step with retries left is launched again after a back-off that grows up to its cap."""
    policy = {"maxRetryCount": 5, "backoffDuration": "10s", "backoffFactor": 3.0, "backoffMaxDuration": "50s"}
    run = Run(Recipe().step("a", retry=policy))
    waits = []
    for attempt in (1, 2, 3, 4):
        run.records["a"] = TaskRecord("a", Status.PENDING, attempt)
        waits.append(run.now().launches[0].wait_s)

    assert (waits, retries(run.graph, "a")) == ([0.0, 10.0, 30.0, 50.0], 5)


def test_retries_of_nested_steps() -> None:
    """The retry policy of a step inside groups and loops is found by its path."""
    recipe = Recipe()
    inner = recipe.group("l", takes={"i": "STRING"}, parameterIterator={"itemInput": "i", "items": {"raw": '["a"]'}})
    deeper = recipe.group("g", into=inner)
    recipe.step("w", retry={"maxRetryCount": 3}, into=deeper)

    assert retries(build(recipe.document), "l/0/g/w") == 3


@pytest.mark.parametrize(
    ("given", "field"), [({"m": 1}, "parameters.m"), ({}, "parameters.n"), ({"n": "x"}, "parameters.n")]
)
def test_root_parameters(given: dict[str, Any], field: str) -> None:
    """An unknown, missing or wrongly typed parameter of the pipeline is refused by name."""
    graph = build(Recipe({"n": "NUMBER_INTEGER"}).step("a").document)

    with pytest.raises(Rejected) as caught:
        bind_root(graph.spec, given)

    assert caught.value.field == field

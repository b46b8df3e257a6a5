import json
from typing import Any

import pytest

from tests.worker.engine.recipe import Recipe, constant
from worker.engine.executor_input import build, command_line, local_path
from worker.engine.graph import Graph
from worker.engine.graph import build as build_graph
from worker.engine.inputs import Bound
from worker.errors import Rejected

MODEL = {"name": "m", "uri": "gs://bucket/m", "type": {"schemaTitle": "system.Model"}, "metadata": {}}


@pytest.fixture(name="graph")
def _graph() -> Graph:
    takes = {"s": "STRING", "c": "STRUCT", "o": ("STRING", None)}
    recipe = Recipe().step("a", writes=["m"])
    wired = {"s": constant("x"), "c": constant({})}
    recipe.step("b", takes=takes, wired=wired, reads={"m": "a.m"}, gives={"x": "STRING"}, writes=["out"])
    container = recipe.document["deploymentSpec"]["executors"]["exec-b"]["container"]
    container["args"] = [
        "{{$}}",
        "--s={{$.inputs.parameters['s']}}",
        "{{$.inputs.parameters['c']}}",
        "{{$.inputs.artifacts['m'].uri}}",
        "{{$.inputs.artifacts['m'].path}}",
        "{{$.outputs.artifacts['out'].path}}",
        "{{$.outputs.parameters['x'].output_file}}",
    ]
    return build_graph(recipe.document)


def test_executor_input(graph: Graph) -> None:
    """A step is told its values, its artifacts, and where to write, in KFP's form; whole numbers inside are whole."""
    bound = Bound({"s": "x", "c": {"a": 1.0, "b": [2.0, 0.5]}}, {"m": [MODEL]})

    told = build(graph.component("comp-b"), bound, "gs://bucket/run/b/1")

    assert told["inputs"] == {
        "parameterValues": {"s": "x", "c": {"a": 1, "b": [2, 0.5]}},
        "artifacts": {"m": {"artifacts": [MODEL]}},
    }
    assert json.dumps(told["inputs"]["parameterValues"]["c"]) == '{"a": 1, "b": [2, 0.5]}'
    assert told["outputs"]["outputFile"] == "/gcs/bucket/run/b/1/executor_output.json"
    assert told["outputs"]["parameters"] == {"x": {"outputFile": "/gcs/bucket/run/b/1/parameters/x"}}
    [written] = told["outputs"]["artifacts"]["out"]["artifacts"]
    assert (written["uri"], written["type"]["schemaTitle"]) == ("gs://bucket/run/b/1/artifacts/out", "system.Artifact")


def test_command_line(graph: Graph) -> None:
    """Placeholders in a command line are filled in once; a value that looks like one stays as it is."""
    value = "{{$.inputs.parameters['c']}} \"quoted\""
    told = build(graph.component("comp-b"), Bound({"s": value, "c": {"k": 1}}, {"m": [MODEL]}), "/out")

    line = command_line(graph.executor("comp-b").container, told, {})

    assert (line[0], json.loads(line[3])) == ("python3", told)
    expected = [f"--s={value}", '{"k": 1}', "gs://bucket/m", "/gcs/bucket/m", "/out/artifacts/out", "/out/parameters/x"]
    assert line[4:] == expected


def test_missing_input(graph: Graph) -> None:
    """A command that names an input which was not given is refused, not run with a hole in it."""
    told = build(graph.component("comp-b"), Bound({"s": "x"}, {"m": [MODEL]}), "/out")

    with pytest.raises(Rejected, match="'c'"):
        command_line(graph.executor("comp-b").container, told, {})


@pytest.mark.parametrize(("uri", "expected"), [("/a/b", "/a/b"), ("gs://b/x", "/gcs/b/x")])
def test_local_path(uri: str, expected: Any) -> None:
    """A bucket is found where Vertex mounts it, a path where it is."""
    assert local_path(uri) == expected


def test_local_path_refuses() -> None:
    """Another scheme is refused."""
    with pytest.raises(Rejected):
        local_path("s3://b/x")

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.worker.engine.recipe import Recipe, constant, outer, output
from worker.engine.graph import build
from worker.errors import Rejected

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture(name="document", scope="module")
def _document() -> dict[str, Any]:
    recipe = Recipe({"n": ("NUMBER_INTEGER", 1), "names": "LIST"})
    recipe.step("a", gives={"x": "STRING"}, writes=["m"])
    takes = {"s": "STRING", "n": "NUMBER_INTEGER"}
    recipe.step("b", takes=takes, wired={"s": output("a.x"), "n": outer("n")}, reads={"m": "a.m"})
    inner = recipe.group("c", takes={"x": "STRING"}, wired={"x": output("a.x")})
    recipe.step("d", takes={"x": "STRING"}, wired={"x": outer("x")}, into=inner)
    loop = recipe.group(
        "l",
        takes={"item": "STRING", "list": "LIST"},
        wired={"list": outer("names")},
        parameterIterator={"itemInput": "item", "items": {"inputParameter": "list"}},
        iteratorPolicy={"parallelismLimit": 2},
    )
    recipe.step("e", takes={"x": "STRING"}, wired={"x": outer("item")}, gives={"y": "STRING"}, into=loop)
    recipe.collect("l", "all", "e.y")
    return recipe.document


def changed(document: dict[str, Any], change: Change) -> dict[str, Any]:
    """Return a copy with one change."""
    result = copy.deepcopy(document)
    change(result)
    return result


def task(document: dict[str, Any], key: str) -> Any:
    """Return a task of the root."""
    return document["root"]["dag"]["tasks"][key]


def container(document: dict[str, Any], key: str) -> Any:
    """Return a step's container."""
    return document["deploymentSpec"]["executors"][f"exec-{key}"]["container"]


def test_order(document: dict[str, Any]) -> None:
    """Tasks come after what they need, by data and by `after`, in each DAG."""
    graph = build(changed(document, lambda d: task(d, "l").update(dependentTasks=["b"])))

    order = [one.key for one in graph.dags[""]]
    assert (order[0], order.index("b") < order.index("l"), len(order)) == ("a", True, 4)
    assert [one.needs for one in graph.dags[""] if one.key == "b"] == [("a",)]


UNKNOWN: list[tuple[str, Change]] = [
    ("root.dag.tasks.a.artifactIterator", lambda d: task(d, "a").update(artifactIterator={"x": 1})),
    ("root.dag.tasks.a.cachingOptions.timeToLive", lambda d: task(d, "a")["cachingOptions"].update(timeToLive="5s")),
    (
        "root.dag.tasks.b.triggerPolicy.strategy",
        lambda d: task(d, "b").update(triggerPolicy={"strategy": "ANY_UPSTREAM_TASK_SUCCEEDED"}),
    ),
    (
        "root.dag.tasks.b.inputs.parameters.s.taskFinalStatus.producerTask",
        lambda d: task(d, "b")["inputs"]["parameters"].update(s={"taskFinalStatus": {}}),
    ),
    (
        "root.dag.tasks.b.inputs.parameters.s.runtimeValue.runtimeParameter",
        lambda d: task(d, "b")["inputs"]["parameters"].update(s={"runtimeValue": {"runtimeParameter": "x"}}),
    ),
    ("components.comp-a.singlePlatformSpecs", lambda d: d["components"]["comp-a"].update(singlePlatformSpecs=[])),
    (
        "components.comp-a.outputDefinitions.artifacts.m.customProperties",
        lambda d: d["components"]["comp-a"]["outputDefinitions"]["artifacts"]["m"].update(customProperties={}),
    ),
    (
        "components.comp-b.inputDefinitions.parameters.s.parameterType",
        lambda d: d["components"]["comp-b"]["inputDefinitions"]["parameters"]["s"].update(parameterType="TASK_CONFIG"),
    ),
    (
        "deploymentSpec.executors.exec-a.importer.downloadToWorkspace",
        lambda d: d["deploymentSpec"]["executors"].update({"exec-a": {"importer": {"downloadToWorkspace": True}}}),
    ),
    ("deploymentSpec.executors.exec-a.container.lifecycle", lambda d: container(d, "a").update(lifecycle={})),
    (
        "deploymentSpec.executors.exec-a.container.resources.accelerator.sharing",
        lambda d: container(d, "a").update(resources={"accelerator": {"sharing": "MPS"}}),
    ),
    ("deploymentSpec.executors.exec-a.container.command", lambda d: container(d, "a").update(command=[])),
    ("schemaVersion", lambda d: d.update(schemaVersion="2.0.0")),
    ("platforms", lambda d: d.update(platforms={})),
    (
        "components.comp-l.dag.outputs.parameters.all.valueFromAny",
        lambda d: d["components"]["comp-l"]["dag"]["outputs"]["parameters"].update(all={"valueFromAny": {}}),
    ),
    (
        "root.dag.tasks.a.retryPolicy.backoffDuration",
        lambda d: task(d, "a").update(retryPolicy={"backoffDuration": "5m"}),
    ),
]


@pytest.mark.parametrize(("path", "change"), UNKNOWN, ids=[path for path, _ in UNKNOWN])
def test_unknown_fields(document: dict[str, Any], path: str, change: Change) -> None:
    """What the engine does not know is refused with its path, however harmless it may look."""
    with pytest.raises(Rejected) as caught:
        build(changed(document, change))

    assert path in str(caught.value)


WRONG: list[tuple[str, Change]] = [
    ("root.dag.tasks.a.componentRef.name", lambda d: task(d, "a").update(componentRef={"name": "none"})),
    ("root.dag.tasks.b.dependentTasks.0", lambda d: task(d, "b").update(dependentTasks=["none"])),
    ("root.dag.tasks.b.inputs.parameters.s", lambda d: task(d, "b")["inputs"]["parameters"].update(s=output("none.x"))),
    ("root.dag.tasks.b.inputs.parameters.s", lambda d: task(d, "b")["inputs"]["parameters"].update(s=output("a.none"))),
    ("root.dag.tasks.b.inputs.parameters.s", lambda d: task(d, "b")["inputs"]["parameters"].update(s=outer("none"))),
    ("root.dag.tasks.b.inputs.parameters.s", lambda d: task(d, "b")["inputs"]["parameters"].update(s=outer("n"))),
    ("root.dag.tasks.b.inputs.parameters.s", lambda d: task(d, "b")["inputs"]["parameters"].update(s=constant(3))),
    ("root.dag.tasks.b.inputs.parameters.s", lambda d: task(d, "b")["inputs"]["parameters"].pop("s")),
    ("root.dag.tasks.b.inputs.parameters.z", lambda d: task(d, "b")["inputs"]["parameters"].update(z=constant("x"))),
    ("root.dag.tasks.b.inputs.artifacts.m", lambda d: task(d, "b")["inputs"].update(artifacts={})),
    (
        "root.dag.tasks.b.inputs.artifacts.m",
        lambda d: d["components"]["comp-b"]["inputDefinitions"]["artifacts"].update(
            m={"artifactType": {"schemaTitle": "system.Artifact"}, "isArtifactList": True}
        ),
    ),
    ("root.dag", lambda d: task(d, "a").update(dependentTasks=["b"])),
    ("components", lambda d: d["components"]["comp-c"]["dag"]["tasks"]["d"].update(componentRef={"name": "comp-c"})),
    ("root.dag.tasks.a.iteratorPolicy", lambda d: task(d, "a").update(iteratorPolicy={"parallelismLimit": 1})),
    ("components.comp-a.executorLabel", lambda d: d["components"]["comp-a"].update(executorLabel="none")),
    (
        "root.dag.tasks.c.triggerPolicy.condition",
        lambda d: task(d, "c").update(triggerPolicy={"condition": "size('a')"}),
    ),
    (
        "root.dag.tasks.l.parameterIterator.items.raw",
        lambda d: task(d, "l")["parameterIterator"].update(items={"raw": "{}"}),
    ),
    (
        "root.dag.tasks.l.parameterIterator.items.raw",
        lambda d: task(d, "l")["parameterIterator"].update(items={"raw": "[1"}),
    ),
    ("root.dag.tasks.l.inputs.parameters.item", lambda d: task(d, "l")["parameterIterator"].update(itemInput="z")),
    (
        "components.comp-l.dag.outputs.parameters.all",
        lambda d: d["components"]["comp-l"]["dag"]["outputs"]["parameters"].update(
            all={
                "valueFromOneof": {
                    "parameterSelectors": [
                        {"producerSubtask": "e", "outputParameterKey": "y"},
                        {"producerSubtask": "e", "outputParameterKey": "none"},
                    ]
                }
            }
        ),
    ),
    (
        "root.dag.tasks.b.inputs.parameters.s",
        lambda d: task(d, "b")["inputs"]["parameters"].update(s={"taskFinalStatus": {"producerTask": "a"}}),
    ),
    (
        "root.dag.tasks.l.artifactIterator.itemInput",
        lambda d: (
            task(d, "l").pop("parameterIterator"),
            task(d, "l").update(artifactIterator={"itemInput": "z", "items": {"inputArtifact": "z"}}),
            task(d, "l")["inputs"]["parameters"].update(item=constant("x")),
        ),
    ),
    (
        "deploymentSpec.executors.exec-a.importer.artifactUri.runtimeParameter",
        lambda d: d["deploymentSpec"]["executors"].update(
            {"exec-a": {"importer": {"artifactUri": {"runtimeParameter": "z"}, "typeSchema": {"schemaTitle": "m"}}}}
        ),
    ),
    (
        "components.comp-b.inputDefinitions.parameters.s.defaultValue",
        lambda d: d["components"]["comp-b"]["inputDefinitions"]["parameters"]["s"].update(
            literals=["a", "b"], defaultValue="c"
        ),
    ),
    (
        "root.dag.tasks.b.inputs.parameters.s.parameterExpressionSelector",
        lambda d: task(d, "b")["inputs"]["parameters"]["s"].update(parameterExpressionSelector="size(x)"),
    ),
    (
        "root.inputDefinitions.parameters.n.defaultValue",
        lambda d: d["root"]["inputDefinitions"]["parameters"]["n"].update(defaultValue="x"),
    ),
    ("deploymentSpec.executors.exec-a.container.args.0", lambda d: container(d, "a").update(args=["{{$.pipeline_x}}"])),
    (
        "deploymentSpec.executors.exec-a.container.args.0",
        lambda d: container(d, "a").update(args=["{{$.inputs.parameters['none']}}"]),
    ),
    (
        "deploymentSpec.executors.exec-a.container.args.0",
        lambda d: container(d, "a").update(args=['{"IfPresent": {"InputName": "x", "Then": ["a"]}}']),
    ),
    (
        "deploymentSpec.executors.exec-a.container.env.0.value",
        lambda d: container(d, "a").update(env=[{"name": "A", "value": "{{$}}"}]),
    ),
    ("root.dag.tasks", lambda d: d["root"]["dag"]["tasks"].update({"../x": task(d, "a")})),
]


@pytest.mark.parametrize(("path", "change"), WRONG, ids=[f"{i}-{path}" for i, (path, _) in enumerate(WRONG)])
def test_what_does_not_fit(document: dict[str, Any], path: str, change: Change) -> None:
    """A reference to nothing, a wrong type or a circle is told at submit, with its path."""
    with pytest.raises(Rejected) as caught:
        build(changed(document, change))

    assert caught.value.field.startswith(path)


def test_all_unknown_fields_are_named(document: dict[str, Any]) -> None:
    """Several unknown fields are named together."""
    with pytest.raises(Rejected, match=r"(?s)first.*second"):
        build({**document, "first": 1, "second": 2})


def test_names(document: dict[str, Any]) -> None:
    """A task goes by its display name where that tells the tasks apart, else by its key."""
    shown = changed(document, lambda d: task(d, "a")["taskInfo"].update(name="collect_data"))
    clash = changed(document, lambda d: task(d, "a")["taskInfo"].update(name="b"))
    unsafe = changed(document, lambda d: task(d, "a")["taskInfo"].update(name="../x"))

    assert [build(one).dags[""][0].name for one in (shown, clash, unsafe)] == ["collect_data", "a", "a"]

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.emulators import absent
from tests.worker.pipelines.conftest import GOOD, TYPES
from tests.worker.pipelines.flow_world import parse
from worker.adapters.engine.kfp_compiler import compile_template
from worker.engine.graph import build
from worker.errors import Rejected
from worker.pipelines.cache import load_compiled
from worker.pipelines.compile import content_hash
from worker.pipelines.template import Template, parse_template

CONFIG = Path(__file__).parents[4] / "config"


@pytest.fixture(name="kfp", autouse=True)
def _kfp() -> None:
    try:
        import kfp  # noqa: F401
    except ImportError:
        absent("kfp is not installed (the extra `compile`)")


@pytest.fixture(name="template")
def _template() -> Template:
    return parse_template(yaml.safe_load(GOOD), types=TYPES)


def shipped(name: str) -> Template:
    """Return a shipped template."""
    return parse_template(yaml.safe_load((CONFIG / "pipelines" / f"{name}.yaml").read_text()))


def test_components(template: Template) -> None:
    """A step is a container component of our own image that is told its type, and nothing else is in it."""
    spec = compile_template(template, image="registry/colony:7")

    assert spec["deploymentSpec"]["executors"]["exec-train"]["container"] == {
        "image": "registry/colony:7",
        "command": ["python", "-m", "worker.steps", "stage"],
        "args": ["--step", "train", "--executor-input", "{{$}}"],
        "resources": {"cpuLimit": 2.0, "memoryLimit": 4.0, "resourceCpuLimit": "2", "resourceMemoryLimit": "4G"},
    }
    declared = spec["components"]["comp-train"]
    assert sorted(declared["inputDefinitions"]["parameters"]) == ["config", "run"]
    assert declared["inputDefinitions"]["artifacts"]["rows"]["artifactType"]["schemaTitle"] == "system.Dataset"
    assert declared["outputDefinitions"]["artifacts"]["model"]["artifactType"]["schemaTitle"] == "system.Model"


def test_tasks(template: Template) -> None:
    """A task has its step's name, wiring, config and retry, gets the run, and is never taken from a cache."""
    tasks = compile_template(template)["root"]["dag"]["tasks"]

    train = tasks["train"]
    assert train["inputs"]["parameters"] == {
        "config": {"runtimeValue": {"constant": {"options": {"trees": 10.0}}}},
        "run": {"componentInputParameter": "run"},
    }
    assert train["inputs"]["artifacts"]["rows"]["taskOutputArtifact"] == {
        "producerTask": "prepare",
        "outputArtifactKey": "rows",
    }
    assert (train["retryPolicy"]["maxRetryCount"], train["retryPolicy"]["backoffDuration"]) == (2, "60s")
    assert {task["taskInfo"]["name"] for task in tasks.values()} == {"get_rows", "prepare", "train", "finish"}
    assert all(not task["cachingOptions"].get("enableCache") for task in tasks.values())
    assert "prepare" in tasks["finish"]["dependentTasks"]


def test_deterministic(template: Template) -> None:
    """The same template compiles to the same bytes, also in another process, and names its content hash."""
    code = "import json, sys, yaml\n"
    code += "from tests.worker.pipelines.conftest import GOOD, TYPES\n"
    code += "from worker.adapters.engine.kfp_compiler import compile_template\n"
    code += "from worker.pipelines.template import parse_template\n"
    code += "print(json.dumps(compile_template(parse_template(yaml.safe_load(GOOD), types=TYPES))))"
    command = [sys.executable, "-W", "ignore", "-c", code]
    other = subprocess.run(command, cwd=CONFIG.parent, check=True, capture_output=True, text=True, timeout=120)

    spec = compile_template(template)
    assert json.loads(other.stdout) == spec
    assert json.dumps(spec) == other.stdout.strip()
    assert content_hash(template) in spec["pipelineInfo"]["description"]


def test_the_local_engine_understands_it(template: Template) -> None:
    """A compiled template is a graph that the local engine can execute, by the template's own step names."""
    graph = build(compile_template(template))

    assert [task.name for task in graph.dags[""]] == ["get_rows", "prepare", "train", "finish"]


FLOW = """
name: flow
parameters:
  deploy: false
  things: {type: list, default: [], items: {type: object, fields: {size: integer}}}
steps:
  - {id: get_rows, type: give}
  - {id: try_it, type: note, when: "not ${parameters.deploy} or ${steps.get_rows.outputs.share} > 1"}
  - id: each
    type: note
    foreach: ${parameters.things}
    when: ${item.size} > 3
    parallelism: 2
    timeout: 90s
    retry: {attempts: 4, backoff: 1m}
  - {id: many, type: note, foreach: [1, 2], after: [each, try_it]}
  - {id: together, type: gather}
"""


def test_conditions() -> None:
    """A condition stands at its step's task, over typed inputs from root parameters and from what steps give."""
    spec = compile_template(parse(FLOW))
    task, component = spec["root"]["dag"]["tasks"]["try-it"], spec["components"]["comp-try-it"]

    assert spec["root"]["inputDefinitions"]["parameters"] == {
        "run": {"parameterType": "STRUCT"},
        "deploy": {"parameterType": "BOOLEAN"},
        "things": {"parameterType": "LIST"},
    }
    assert task["triggerPolicy"]["condition"] == (
        "!(inputs.parameter_values['when_0'] == true) || inputs.parameter_values['when_1'] > double(1)"
    )
    assert task["inputs"]["parameters"]["when_0"] == {"componentInputParameter": "deploy"}
    assert task["inputs"]["parameters"]["when_1"]["taskOutputParameter"] == {
        "producerTask": "get-rows",
        "outputParameterKey": "share",
    }
    assert component["inputDefinitions"]["parameters"]["when_0"] == {"parameterType": "BOOLEAN"}
    assert component["inputDefinitions"]["parameters"]["when_1"] == {"parameterType": "NUMBER_DOUBLE"}


def test_loops() -> None:
    """A step with `foreach` is a loop of its name around it; time and attempts are its own process's to watch."""
    spec = compile_template(parse(FLOW))
    tasks = spec["root"]["dag"]["tasks"]
    loops = {task["taskInfo"]["name"]: (key, task) for key, task in tasks.items() if "parameterIterator" in task}
    each, many = loops["each"][1], loops["many"][1]
    inner = spec["components"][each["componentRef"]["name"]]["dag"]["tasks"]["each"]

    assert each["iteratorPolicy"] == {"parallelismLimit": 2}
    assert many["parameterIterator"]["items"] == {"raw": "[1, 2]"}
    assert many["dependentTasks"] == sorted([loops["each"][0], "try-it"])
    channel = each["parameterIterator"]["itemInput"]
    assert inner["inputs"]["parameters"]["when_0"] == {
        "componentInputParameter": channel,
        "parameterExpressionSelector": 'parseJson(string_value)["size"]',
    }
    assert inner["triggerPolicy"] == {"condition": "int(inputs.parameter_values['when_0']) > 3"}
    assert "retryPolicy" not in inner
    args = spec["deploymentSpec"]["executors"]["exec-each"]["container"]["args"]
    assert args[2:10] == ["--timeout", "90", "--task", "{{$.pipeline_task_uuid}}", "--attempts", "4", "--backoff", "60"]
    collected = tasks["together"]["inputs"]["artifacts"]["note"]["taskOutputArtifact"]
    assert collected["producerTask"] == loops["many"][0]
    assert spec["components"]["comp-together"]["inputDefinitions"]["artifacts"]["note"]["isArtifactList"]
    assert spec["components"]["comp-many"]["inputDefinitions"]["parameters"]["item"] == {
        "parameterType": "NUMBER_INTEGER"
    }


@pytest.mark.parametrize(
    "change",
    [
        ("> 1", "> 2"),
        ("> 3", "> 4"),
        ("parallelism: 2", "parallelism: 3"),
        ("timeout: 90s", "timeout: 91s"),
        ("[1, 2]", "[1, 3]"),
        ("size: integer", "size: number"),
    ],
)
def test_the_hash_covers_the_flow(change: tuple[str, str]) -> None:
    """Another condition, list or time-out makes another hash, so that a spec compiled before is stale."""
    assert change[0] in FLOW

    assert content_hash(parse(FLOW)) != content_hash(parse(FLOW.replace(*change, 1)))


def test_half_seconds(template: Template) -> None:
    """A back-off that KFP cannot express is refused."""
    text = GOOD.replace("backoff: 1m", "backoff: 1500ms")
    del template

    with pytest.raises(Rejected, match="whole seconds"):
        compile_template(parse_template(yaml.safe_load(text), types=TYPES))


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONFIG / "pipelines").glob("*.yaml")))
def test_shipped_specs_are_fresh(name: str) -> None:
    """Each shipped template has a compiled spec that is what compiling it now gives."""
    template = shipped(name)

    fresh = compile_template(template)
    kept = load_compiled(template, [CONFIG])
    assert {**kept, "sdkVersion": ""} == {**fresh, "sdkVersion": ""}


def test_auto_retrain() -> None:
    """The retrain has its six steps in order, each needing what comes before."""
    graph = build(load_compiled(shipped("auto-retrain"), [CONFIG]))

    assert [task.name for task in graph.dags[""]] == [
        "collect_data",
        "preprocess",
        "train_model",
        "evaluate_model",
        "register_model",
        "deploy_if_better",
    ]


def test_the_worker_needs_no_kfp() -> None:
    """Reading a template and its compiled spec, and executing it, imports neither kfp nor Google's libraries."""
    code = "import sys, yaml, pathlib\n"
    code += "import worker.adapters.engine.local, worker.pipelines.cache\n"
    code += "from worker.pipelines.template import parse_template\n"
    code += "t = parse_template(yaml.safe_load(pathlib.Path('config/pipelines/auto-retrain.yaml').read_text()))\n"
    code += "worker.pipelines.cache.load_compiled(t, [pathlib.Path('config')])\n"
    code += "print([m for m in ('kfp', 'google.api_core', 'google.protobuf', 'grpc', 'sklearn') if m in sys.modules])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=CONFIG.parent, check=True, capture_output=True, text=True, timeout=60)

    assert done.stdout.strip() == "[]"

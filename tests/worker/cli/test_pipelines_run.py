import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.worker.adapters.engine.waiting import until
from tests.worker.engine.recipe import Recipe, outer

Here = Callable[..., tuple[int, str, str]]


@pytest.fixture(name="spec")
def _spec(tmp_path: Path) -> dict[str, Any]:
    recipe = Recipe({"n": ("NUMBER_INTEGER", 1), "who": ("STRING", "you")})
    takes, wired = {"n": "NUMBER_INTEGER", "who": "STRING"}, {"n": outer("n"), "who": outer("who")}
    code = "sys.exit('too small') if value('n') < 1 else give('x', value('who') * value('n')); path('m').touch()"
    recipe.step("a", code, takes=takes, wired=wired, gives={"x": "STRING"}, writes=["m"])
    root = recipe.document["root"]
    root["dag"]["outputs"] = {
        "parameters": {"said": {"valueFromParameter": {"producerSubtask": "a", "outputParameterKey": "x"}}},
        "artifacts": {"made": {"artifactSelectors": [{"producerSubtask": "a", "outputArtifactKey": "m"}]}},
    }
    root["outputDefinitions"] = {
        "parameters": {"said": {"parameterType": "STRING"}},
        "artifacts": {"made": {"artifactType": {"schemaTitle": "system.Artifact"}}},
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(recipe.document))
    return recipe.document


def test_success(here: Here, spec: dict[str, Any], tmp_path: Path) -> None:
    """A foreign spec runs here with its parameters, shows its steps, prints what it gave, and exits with 0."""
    code, out, _ = here("pipelines", "run", "spec.yaml", "-p", "n=2", "-p", "who=é=", "--root", "elsewhere")

    assert code == 0
    assert "✓ a" in out
    assert 'said = "é=é="' in out
    made = json.loads(next(line for line in out.splitlines() if line.startswith("made = ")).removeprefix("made = "))
    assert Path(made).is_relative_to(tmp_path / "elsewhere")
    assert Path(made).exists()


def test_json(here: Here, spec: dict[str, Any], tmp_path: Path) -> None:
    """A spec may be JSON, and so may be the answer: one object."""
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    code, out, _ = here("pipelines", "run", "spec.json", "--json")

    told = json.loads(out)
    assert (code, told["status"], told["outputs"]["said"]) == (0, "succeeded", "you")
    assert [(step["stepId"], step["status"]) for step in told["steps"]] == [("a", "succeeded")]


def test_failure(here: Here, spec: dict[str, Any]) -> None:
    """A run that fails exits with 6, and says which step failed and why."""
    code, out, _ = here("pipelines", "run", "spec.yaml", "-p", "n=0")

    assert code == 6
    assert "because: step 'a' failed: exit code 1: too small" in out
    log = next(line for line in out.splitlines() if "log: " in line).partition("log: ")[2]
    assert Path(log).read_text() == "too small\n"
    assert "said" not in out


def test_a_value_that_is_no_unicode(here: Here, spec: dict[str, Any], tmp_path: Path) -> None:
    """JSON that spells half a surrogate is told as it was spelled."""
    outputs = {"parameters": {"said": {"parameterType": "STRUCT"}}}
    spec["components"]["comp-a"]["outputDefinitions"]["parameters"]["x"]["parameterType"] = "STRUCT"
    spec["root"]["outputDefinitions"]["parameters"] = outputs["parameters"]
    container = spec["deploymentSpec"]["executors"]["exec-a"]["container"]
    container.update(command=["sh", "-c", """printf '%s' '{"a": "\\ud800"}' > "$0"; touch "$1" """])
    container["args"] = ["{{$.outputs.parameters['x'].output_file}}", "{{$.outputs.artifacts['m'].path}}"]
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    code, out, _ = here("pipelines", "run", "spec.json", "--json")

    assert (code, json.loads(out)["outputs"]["said"]) == (0, {"a": "\ud800"})


def test_failing_fast(here: Here, tmp_path: Path) -> None:
    """With --fail-fast nothing more begins once a step has failed."""
    retry = {"maxRetryCount": 1, "backoffDuration": "1s"}
    recipe = Recipe().step("slow", "sys.exit(1)", retry=retry).step("bad", "sys.exit(1)").step("c", after=["d"])
    recipe.step("d", "time.sleep(0.5)")
    (tmp_path / "spec.json").write_text(json.dumps(recipe.document))
    code, out, _ = here("pipelines", "run", "spec.json", "--json", "--fail-fast")

    steps = {step["stepId"]: step["status"] for step in json.loads(out)["steps"]}
    assert (code, steps["bad"], steps["c"]) == (6, "failed", "skipped")


@pytest.mark.parametrize(
    ("words", "change", "path"),
    [
        ((), lambda spec: spec["root"].update(surprise=1), "root.surprise"),
        (("-p", "n=1.5"), dict, "parameters.n"),
        (("-p", "m=1"), dict, "parameters.m"),
        (("-p", "n"), dict, "parameters"),
        (("-p", "n=1e400"), dict, "parameters.n"),
        (
            (),
            lambda spec: spec["root"]["inputDefinitions"]["parameters"]["n"].update(defaultValue=float("inf")),
            "spec",
        ),
    ],
)
def test_refused(here: Here, spec: dict[str, Any], tmp_path: Path, words: Any, change: Any, path: str) -> None:
    """What cannot be run as it is written is refused with its path, exits with 2, and leaves nothing."""
    change(spec)
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    code, _, error = here("pipelines", "run", "spec.yaml", "--root", "elsewhere", *words)

    assert code == 2
    assert path in error
    assert not list(tmp_path.glob("elsewhere/*"))


def test_two_documents(here: Here, spec: dict[str, Any], tmp_path: Path) -> None:
    """A platform spec is not left out silently: what it asks for is told, and leaving it out is the user's choice."""
    asked = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-a": {"secretAsEnv": [{}]}}}}}}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump_all([spec, asked]))
    code, _, error = here("pipelines", "run", "spec.yaml")

    assert (code, "kubernetes.exec-a.secretAsEnv" in error, "--without-platform" in error) == (2, True, True)
    assert here("pipelines", "run", "spec.yaml", "--without-platform")[0] == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("pipelineSpec: {}\nruntimeConfig: {}", "give its pipelineSpec"),
        ("name: x\nimplementation: {}", "compile it with kfp"),
        ("[1]", "is no compiled pipeline"),
        ("", "is no compiled pipeline"),
        ("a: [", "cannot be read"),
    ],
)
def test_other_files(here: Here, tmp_path: Path, content: str, told: str) -> None:
    """What is no compiled pipeline is told as what it is."""
    (tmp_path / "spec.yaml").write_text(content)
    code, _, error = here("pipelines", "run", "spec.yaml")

    assert (code, told in " ".join(error.split())) == (2, True)


def test_accelerators(here: Here, spec: dict[str, Any], tmp_path: Path) -> None:
    """A step that asks for an accelerator is refused where there is none, or runs without it by the user's choice."""
    container = spec["deploymentSpec"]["executors"]["exec-a"]["container"]
    container["resources"] = {"accelerator": {"resourceType": "TPU_V3", "resourceCount": "8"}, "cpuLimit": 1.0}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    code, _, error = here("pipelines", "run", "spec.yaml")

    assert (code, "asks for 8 × TPU_V3" in error, "--without-accelerators" in error) == (2, True, True)
    assert here("pipelines", "run", "spec.yaml", "--without-accelerators")[0] == 0


def test_values_from_files(here: Here, spec: dict[str, Any], tmp_path: Path) -> None:
    """A value may be read from a file; one that begins with an at sign is written with two."""
    (tmp_path / "who.txt").write_text("a long text")

    assert 'said = "a long text"' in here("pipelines", "run", "spec.yaml", "-p", "who=@who.txt")[1]
    assert 'said = "@who"' in here("pipelines", "run", "spec.yaml", "-p", "who=@@who")[1]
    code, _, error = here("pipelines", "run", "spec.yaml", "-p", "who=@nobody.txt")
    assert (code, "nobody.txt cannot be read" in error) == (2, True)


def test_missing(here: Here, spec: dict[str, Any], tmp_path: Path) -> None:
    """All that is missing is told at once, with its types."""
    declared = spec["root"]["inputDefinitions"]
    declared["parameters"].update(m={"parameterType": "STRING"}, l={"parameterType": "LIST"})
    declared["artifacts"] = {"d": {"artifactType": {"schemaTitle": "system.Dataset"}}}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    code, _, error = here("pipelines", "run", "spec.yaml")

    assert code == 2
    assert "needs l (LIST), m (STRING), d (the URI of a system.Dataset)" in error


def test_artifact_given(here: Here, spec: dict[str, Any], tmp_path: Path) -> None:
    """An artifact that the pipeline takes is given by its URI."""
    spec["root"]["inputDefinitions"]["artifacts"] = {"d": {"artifactType": {"schemaTitle": "system.Dataset"}}}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))

    assert here("pipelines", "run", "spec.yaml", "-p", "d=/some/where")[0] == 0


def test_cache(here: Here, spec: dict[str, Any], tmp_path: Path) -> None:
    """A second run takes the first one's result, unless it is not to, or the results were cleared."""
    spec["root"]["dag"]["tasks"]["a"]["cachingOptions"] = {"enableCache": True}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    words = ("pipelines", "run", "spec.yaml", "--root", "runs")

    assert "taken from" not in here(*words)[1]
    assert "taken from" in here(*words)[1]
    assert "taken from" not in here(*words, "--no-cache")[1]
    assert "1 result forgotten" in here("pipelines", "clear-cache", "--root", "runs")[1]
    assert "taken from" not in here(*words)[1]


def test_interrupted(home: Path, tmp_path: Path) -> None:
    """A signal to stop cancels the run, which is told, and exits with 6."""
    mark = tmp_path / "began"
    recipe = Recipe().step("a", f"Path(r'{mark}').touch(); time.sleep(600)")
    (tmp_path / "spec.json").write_text(json.dumps(recipe.document))
    environment = {**os.environ, "COLONY_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[3])}
    line = [sys.executable, "-m", "worker", "pipelines", "run", "spec.json"]
    with subprocess.Popen(line, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        until(mark.exists)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)

    assert process.returncode == 6
    assert "CANCELLED" in out

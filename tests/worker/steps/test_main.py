import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from worker.adapters.features.local import LocalFeatureStore
from worker.adapters.models.local import LocalArtifacts
from worker.adapters.models.skops_format import SkopsFormat
from worker.errors import Rejected, TryLater
from worker.features.port import Definition, Write
from worker.steps.__main__ import main
from worker.steps.files import local_path, uri_of
from worker.steps.placeholders import resolve
from worker.steps.step import Ports
from worker.steps.types import STEPS

ROOT = Path(__file__).parents[3]
START = datetime(2024, 1, 1, tzinfo=UTC)
BEE = {
    "bee": "b",
    "entity": "order",
    "label": "fraud",
    "features": ["amount"],
    "metric": "f1",
    "gate": {"minRows": 10},
}


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    """A data directory with 300 labelled rows."""
    store = LocalFeatureStore(tmp_path / "home" / "features", clock=lambda: datetime.now(UTC))
    for name in ("amount", "fraud"):
        store.define(Definition(name, "order", "number"))
    moments = [START + timedelta(hours=index) for index in range(300)]
    store.write(
        Write(f"o{index}", name, value, moment, moment)
        for index, moment in enumerate(moments)
        for name, value in (("amount", float(index % 7)), ("fraud", float(index % 7 > 3)))
    )
    store.close()
    return tmp_path / "home"


def _executor_input(directory: Path, config: Any, *, inputs: tuple[str, ...] = (), outputs: tuple[str, ...]) -> str:
    run = {
        "id": "r",
        "template": "t",
        "bee": BEE,
        "parameters": {"window": "20d"},
        "asOf": "2024-01-14T00:00:00Z",
        "seed": 3.0,
        "champion": None,
        "outputDir": str(directory / "run"),
    }

    def artifacts(names: tuple[str, ...]) -> dict[str, Any]:
        return {
            name: {
                "artifacts": [
                    {
                        "name": name,
                        "uri": str(directory / name),
                        "type": {"schemaTitle": "system.Dataset"},
                        "metadata": {},
                    }
                ]
            }
            for name in names
        }

    return json.dumps(
        {
            "inputs": {"parameterValues": {"config": config, "run": run}, "artifacts": artifacts(inputs)},
            "outputs": {"artifacts": artifacts(outputs), "outputFile": str(directory / "executor_output.json")},
        }
    )


def _run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLONY_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "worker.steps", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_step_process_reads_kfp_input_and_writes_kfp_output(home: Path, tmp_path: Path) -> None:
    """A step fills its parameters, writes its outputs and tells the engine of them, with exit code 0."""
    text = _executor_input(tmp_path, {"window": "${parameters.window}"}, outputs=("rows",))
    (tmp_path / "input.json").write_text(text)
    done = _run(home, "data_collection", "--executor-input", f"@{tmp_path / 'input.json'}", "--step", "collect_data")

    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "executor_output.json").read_bytes())["artifacts"]["rows"]["artifacts"][0]
    assert told["uri"] == str(tmp_path / "rows")
    assert told["metadata"]["rows"] == 300
    outcome = json.loads((tmp_path / "run" / "outcome.json").read_bytes())
    assert outcome["verdict"] is None
    assert set(outcome["cost"]["steps"]) == {"collect_data"}

    text = _executor_input(tmp_path, {}, inputs=("rows",), outputs=("train", "holdout"))
    assert _run(home, "data_preprocessing", "--executor-input", text).returncode == 0


def _ports(tmp_path: Path, failing: Exception | None = None) -> Ports:
    class Store(LocalFeatureStore):
        def training_read(self, request: Any, **more: Any) -> Any:
            if failing:
                raise failing
            return super().training_read(request, **more)

    store = Store(tmp_path / "store", clock=lambda: datetime.now(UTC))
    return Ports(features=store, artifacts=LocalArtifacts(tmp_path / "models"), models=SkopsFormat())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["unheard_of", "--executor-input", "{}"], "unheard_of"),
        (["training", "--executor-input", "{"], "executor input"),
        (["training", "--executor-input", "[]"], "executor input"),
        (["training", "--executor-input", "{}"], "run.outputDir"),
    ],
)
def test_faults_of_the_call_are_not_to_be_retried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """A wrong type or input gives a clear text and exit code 2."""
    assert main(arguments, lambda: _ports(tmp_path)) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"window": "soon"}, "soon"),
        ({"widow": "30d"}, "widow"),
        ({"window": "${parameters.nothing}"}, "parameters.nothing"),
        ("{", "not JSON"),
        ([1], "not an object"),
    ],
)
def test_faults_of_the_config_are_not_to_be_retried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], config: Any, words: str
) -> None:
    """A config that the step does not accept gives its path and exit code 2."""
    text = _executor_input(tmp_path, config, outputs=("rows",))

    assert main(["data_collection", "--executor-input", text], lambda: _ports(tmp_path)) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (Rejected("no such feature", field="amount"), 2, "no such feature"),
        (TryLater("disk full"), 1, "disk full"),
        (RuntimeError("surprise"), 1, "Traceback"),
    ],
)
def test_errors_of_the_body_become_exit_codes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception, code: int, words: str
) -> None:
    """Rejected is final; what may pass later, and what nobody expected, may be retried."""
    text = _executor_input(tmp_path, {}, outputs=("rows",))

    assert main(["data_collection", "--executor-input", text], lambda: _ports(tmp_path, error)) == code
    assert words in capsys.readouterr().err


def test_a_store_that_is_not_there_is_not_to_be_retried(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A step that is told of a backend which this image does not have ends at once, with the ones that it has."""
    monkeypatch.setenv("COLONY_HOME", str(home))
    monkeypatch.setenv("COLONY_MODELS", "elsewhere")
    given = _executor_input(tmp_path, {}, outputs=("dataset",))

    assert main(["data_preprocessing", "--executor-input", given]) == 2
    assert "there is no backend 'elsewhere'" in capsys.readouterr().err


def test_an_input_that_is_not_wired_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A declared input without an artifact is a fault of the compiled template."""
    text = _executor_input(tmp_path, {}, outputs=("train", "holdout"))

    assert main(["data_preprocessing", "--executor-input", text], lambda: _ports(tmp_path)) == 2
    assert "rows not wired" in capsys.readouterr().err


def test_declaring_the_types_imports_no_heavy_library() -> None:
    """A template can be checked against all step types without scikit-learn, numpy or pyarrow."""
    code = (
        "import importlib, sys\n"
        "from worker.steps.types import STEPS\n"
        "for name, module in STEPS.items():\n"
        "    assert importlib.import_module(module).STEP.name == name\n"
        "print([name for name in ('sklearn', 'skops', 'numpy', 'pyarrow') if name in sys.modules])\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
    assert len(STEPS) >= 6


def test_preload_imports_what_bodies_need() -> None:
    """The module for fork servers imports without an error."""
    from worker.steps import preload

    assert preload.PRELOADED


def test_cloud_storage_is_found_where_it_is_mounted() -> None:
    """gs:// and /gcs/ are the same place; other paths stay."""
    assert local_path("gs://bucket/a/b") == Path("/gcs/bucket/a/b")
    assert uri_of(Path("/gcs/bucket/a/b")) == "gs://bucket/a/b"
    assert local_path(uri_of(Path("/tmp/a"))) == Path("/tmp/a")
    assert local_path(Path("/tmp/a b").as_uri()) == Path("/tmp/a b")


def test_placeholders_keep_types() -> None:
    """A placeholder that is the whole text keeps its type; inside a text it becomes text; unknown ones are named."""
    parameters = {"n": 3, "name": "x", "deep": {"a": [1]}}

    assert resolve({"a": ["${parameters.n}"], "b": "${parameters.deep}"}, parameters) == {"a": [3], "b": {"a": [1]}}
    assert resolve("run ${parameters.n} of ${parameters.name}", parameters) == "run 3 of x"
    assert resolve("$parameters.n ${other}", parameters) == "$parameters.n ${other}"
    with pytest.raises(Rejected, match=r"parameters\.m"):
        resolve("${parameters.m}", parameters)

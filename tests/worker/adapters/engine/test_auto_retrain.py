import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.worker.adapters.engine.memory_journal import MemoryJournal
from tests.worker.adapters.engine.waiting import until
from worker.adapters.engine.local import LocalEngine
from worker.adapters.features.local import LocalFeatureStore
from worker.bee import BeeSpec
from worker.clock import from_us, to_us
from worker.engine.state import Status
from worker.features.port import Definition, Write
from worker.pipelines.cache import load_compiled
from worker.pipelines.template import parse_template
from worker.runs.port import Submission

CONFIG = Path(__file__).parents[4] / "config"
START = datetime(2024, 1, 1, tzinfo=UTC)
AS_OF = datetime(2024, 1, 29, tzinfo=UTC)
ROWS = 600


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    """A data directory whose feature store holds rows that a model can learn from: label = (signal > 0.5)."""
    store = LocalFeatureStore(tmp_path / "features", clock=lambda: datetime.now(tz=UTC))
    for name in ("label", "signal"):
        store.define(Definition(name, "thing", "number"))
    step = (to_us(AS_OF) - to_us(START)) // (ROWS + 1)
    rows = [(f"t{n}", from_us(to_us(START) + step * n), (n * 7919 % 1000) / 1000) for n in range(ROWS)]
    store.write(
        Write(thing, name, value, at, at)
        for thing, at, signal in rows
        for name, value in (("signal", signal), ("label", float(signal > 0.5)))
    )
    store.close()
    return tmp_path


@pytest.fixture(name="engine")
def _engine(home: Path) -> Iterator[LocalEngine]:
    """An engine whose steps work in that directory."""
    engine = LocalEngine(
        MemoryJournal(),
        lambda: datetime.now(tz=UTC),
        "test",
        max_steps=2,
        max_runs=2,
        environment={"COLONY_HOME": str(home)},
    )
    engine.start()
    try:
        yield engine
    finally:
        engine.close(grace_s=0.2)


def retrain(engine: LocalEngine, home: Path, run_id: str) -> dict[str, Any]:
    """Run the shipped compiled spec for a bee over those rows and return the outcome that it left."""
    template = parse_template(yaml.safe_load((CONFIG / "pipelines/auto-retrain.yaml").read_text()))
    bee = BeeSpec(bee="tester", entity="thing", label="label", features=("signal",), metric="f1")
    directory = home / "runs" / run_id
    frozen = {
        "id": run_id,
        "template": template.name,
        "bee": bee.frozen(),
        "parameters": {},
        "asOf": "2024-01-29T00:00:00Z",
        "seed": 7,
        "champion": None,
        "newRowsSince": None,
        "definitions": {},
        "policyVersion": "p",
        "codeVersion": "c",
        "incident": None,
        "attempt": 1,
        "outputDir": str(directory),
    }
    labels = {"installation": "here", "run": run_id}
    engine.submit(Submission(run_id, load_compiled(template, [CONFIG]), {"run": frozen}, str(directory), labels))
    state = until(lambda: engine.state(run_id), lambda state: state.status.ended, timeout_s=90.0)
    assert (state.status, [(step.step_id, step.error, step.log_tail) for step in state.steps if step.error]) == (
        Status.SUCCEEDED,
        [],
    )
    outcome: dict[str, Any] = json.loads((directory / "outcome.json").read_bytes())
    return outcome


def test_the_shipped_pipeline(engine: LocalEngine, home: Path) -> None:
    """The compiled auto-retrain runs from features to a deployable model, and the same request makes the same model."""
    first = retrain(engine, home, "auto-retrain-tester-1")
    second = retrain(engine, home, "auto-retrain-tester-2")

    assert (first["verdict"], second["verdict"]) == ("deployable", "deployable")
    assert first["challenger"]["sha256"] == second["challenger"]["sha256"]
    steps = engine.state("auto-retrain-tester-1").steps
    assert [step.step_id for step in steps][-1] == "deploy_if_better"
    made = {artifact["name"] for artifact in engine.state("auto-retrain-tester-1").artifacts}
    assert {"rows", "train", "holdout", "model", "report", "evaluation", "registration", "deployment"} == made

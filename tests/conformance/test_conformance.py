import importlib
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.case import Case
from tests.conformance.conftest import Suite, compiled
from worker.errors import Rejected
from worker.runs.port import Submission

if os.environ.get("CI") != "true":
    pytest.importorskip("kfp", reason="kfp is not installed (the extra `compile`)")

TABLES = (
    "conditions",
    "comparisons",
    "choices",
    "loops",
    "items",
    "exits",
    "exits_nested",
    "attempts",
    "nesting",
    "values",
    "given",
    "lightweight",
)
#: How many runs are in the engine before the first is looked at.
AHEAD = 12


def _tables() -> dict[str, Case]:
    found = {}
    for table in TABLES:
        for case in importlib.import_module(f"tests.conformance.{table}").CASES:
            name = re.sub(r"[^a-z0-9]+", "-", f"{table}-{case.name}".lower())
            assert name not in found
            found[name] = case
    return found


CASES = _tables()


@pytest.mark.parametrize("run_id", CASES)
def test_pipeline(suite: Suite, run_id: str) -> None:
    """A compiled pipeline runs exactly the steps that it should, with the values, files and end that are told."""
    names = list(CASES)
    for ahead in names[names.index(run_id) : names.index(run_id) + AHEAD]:
        suite.submit(ahead, CASES[ahead])
    case = CASES[run_id]
    state = suite.ended(run_id, case)

    steps = {step.step_id: step for step in state.steps}
    assert {path: step.status.value for path, step in steps.items()} == dict(case.trace), state.error
    assert state.status.value == case.state
    assert case.error in (state.error or "")
    assert {path: step.attempt for path, step in steps.items() if step.attempt > 1} == dict(case.attempts)
    tmp = suite.submitted[run_id]
    for name, expected in case.gives.items():
        assert given(suite, run_id, name) == placed(expected, tmp, run_id), name
    for file, content in case.files.items():
        assert (content is None) is not (tmp / file).exists()
        assert content is None or content in (tmp / file).read_text()


REFUSALS = {
    case.name: case
    for cases in (
        importlib.import_module("tests.conformance.refusals").CASES,
        importlib.import_module("tests.conformance.lightweight").REFUSALS,
    )
    for case in cases
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refused(suite: Suite, name: str) -> None:
    """What cannot be executed as it is written leaves no run, and its path is told."""
    case = REFUSALS[name]
    run_id = f"refused-{name.replace(' ', '-')}"
    spec = compiled(case.pipeline)
    with pytest.raises(Rejected) as caught:
        suite.engine.submit(Submission(run_id, spec, {}, str(suite.root / run_id), {"run": run_id}))

    assert case.field in caught.value.field
    assert run_id not in suite.journal.jobs


def given(suite: Suite, run_id: str, name: str) -> Any:
    """Return an output parameter of a step (`path.name`) or of the pipeline; of artifacts, what is in their files."""
    path, dot, output = name.rpartition(".")
    if dot:
        return suite.journal.records[run_id][path].outputs["parameters"][output]
    outputs = suite.outputs(run_id)
    if output in outputs.artifacts:
        return [Path(artifact["uri"]).read_text() for artifact in outputs.artifacts[output]]
    return outputs.parameters[output]


def placed(value: Any, tmp: Path, run_id: str) -> Any:
    """Return an expected value with the run's own names in it."""
    if isinstance(value, str):
        return value.replace("{tmp}", str(tmp)).replace("{run}", run_id)
    if isinstance(value, list):
        return [placed(item, tmp, run_id) for item in value]
    return value

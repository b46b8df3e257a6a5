"""A user's own step type, template and variant, exactly as the README has them."""

import json
import re
from pathlib import Path

import pytest

from tests.story.conftest import ROOT, Colony


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(name="own")
def _own(colony: Colony, tmp_path: Path) -> Path:
    """Return a configuration directory with the README's step type and templates, which the colony uses."""
    directory = tmp_path / "own"
    files = {"steps/count_rows.py": _blocks("python")[0]}
    # What does not begin with a name is a part of a bee.
    for text in (block for block in _blocks("yaml") if block.startswith("name:")):
        files[f"pipelines/{text.split()[1]}.yaml"] = text
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")
    colony.environment["COLONY_CONFIG"] = str(directory)
    return directory


def test_a_step_type_of_ones_own(colony: Colony, own: Path) -> None:
    """One file with a declared STEP is validated, compiled and run, and its config is checked like any other."""
    compiled = colony.run("pipelines", "compile", "count")
    words = ("trigger", "count", "--bee", "spam-guard", "--as-of", "2002-10-01", "--wait")

    colony.run(*words)
    run = colony.rows("runs")[-1]
    failed = colony.run(*words, "-p", "atLeast=1000000", code=6)

    assert str(own / "pipelines" / "compiled" / "count.json") in compiled
    assert run["verdict"] == "completed"
    assert run["outcome"]["metrics"]["rows"] > 100
    assert [step["stepId"] for step in run["steps"]] == ["collect", "count"]
    assert "rows. Look at the import" in failed
    (own / "pipelines" / "count.yaml").write_text(
        "name: count\nsteps:\n  - {id: a, type: data_collection}\n  - {id: b, type: count_rows, config: {atLast: 1}}\n"
    )
    assert "count.yaml:4: steps.1.config.atLast: is no setting of the step type 'count_rows'" in colony.run(
        "pipelines", "validate", "count", code=2
    )


def test_a_variant(colony: Colony, own: Path) -> None:
    """A template that extends another one is validated, drawn and compiled as a whole."""
    told = colony.run("pipelines", "validate")
    drawn = colony.run("pipelines", "show", "weekly-retrain", "--svg", str(own / "graph.svg"))
    path = Path(colony.run("pipelines", "compile", "weekly-retrain").strip().partition(": ")[2])

    entry = json.loads(path.read_text(encoding="utf-8"))
    assert "✓ weekly-retrain: 6 steps" in told
    assert "trigger: schedule (0 3 * * 1, Europe/Berlin)" in drawn
    assert "│   deploy_if_better  │" in drawn
    assert (own / "graph.svg").read_text(encoding="utf-8").startswith("<svg")
    assert "random_forest" in json.dumps(entry["spec"]["root"])
    assert entry["hash"] in entry["spec"]["pipelineInfo"]["description"] or entry["hash"] in json.dumps(entry["spec"])

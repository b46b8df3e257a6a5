import json
from pathlib import Path

import pytest

from tests.worker.cli.conftest import Here
from worker.steps.types import STEPS

BROKEN = """name: broken
trigger: schedule
schedule: {cron: "0 3 * * 1", parameters: {beeId: nobody}}
parameters:
  rate: {type: numbr, default: 1}
steps:
  - {id: collect, type: data_collection, config: {window: long, windw: 3d}}
  - {id: prepare, type: data_preprocesing}
  - id: train
    type: training
    config: {folds: "${parameters.fold}"}
    inputs: {train: collect.rows, model: collect.rows}
    retry: {attempts: 2}
  - {id: judge, type: evaluation, inputs: {model: train.report, holdout: train.rows}, after: [nobody]}
"""


@pytest.fixture(name="own")
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory for templates of one's own, laid over the shipped configuration."""
    directory = tmp_path / "own" / "pipelines"
    directory.mkdir(parents=True)
    monkeypatch.setenv("COLONY_CONFIG", str(tmp_path / "own"))
    return directory


def test_every_fault_with_its_line(here: Here, own: Path) -> None:
    """`validate` tells each kind of mistake with file, line, path and mend, all at once, and the others are checked."""
    (own / "broken.yaml").write_text(BROKEN, encoding="utf-8")
    (own / "torn.yaml").write_text("name: [", encoding="utf-8")

    code, out, _ = here("pipelines", "validate")

    faults = [line.strip().removeprefix(str(own)) for line in out.splitlines() if line.startswith("    ")]
    assert code == 2
    assert faults[:-1] == [
        (
            "/broken.yaml:5: parameters.rate.type: there is no type 'numbr'; use one of "
            "string, integer, number, boolean, list, object, any"
        ),
        (
            "/broken.yaml:7: steps.0.config.window: 'long' is not a duration; write it as 30d, 12h or 86400s "
            "(step type 'data_collection')"
        ),
        (
            "/broken.yaml:7: steps.0.config.windw: is no setting of the step type 'data_collection', which has "
            "requireNew, window; correct its name"
        ),
        (
            "/broken.yaml:8: steps.1.type: there is no step type 'data_preprocesing'; "
            f"use one of {', '.join(sorted(STEPS))}"
        ),
        (
            "/broken.yaml:11: steps.2.config.folds: parameters.fold: is not a parameter of the run. "
            "The run has beeId, rate"
        ),
        "/broken.yaml:12: steps.2.inputs.model: 'training' takes no 'model'; it takes train",
        "/broken.yaml:14: steps.3.after.0: there is no step 'nobody'; there are collect, prepare, train, judge",
        "/broken.yaml:14: steps.3.inputs.model: takes a system.Model, but 'report' of 'train' is a system.Metrics",
        (
            "/broken.yaml:14: steps.3.inputs.holdout: 'train.rows' is no output of a step; "
            "'train' gives train.model, train.report"
        ),
    ]
    assert "not YAML" in faults[-1]
    assert "torn.yaml" in faults[-1]
    assert "✓ auto-retrain: 6 steps, its compiled spec is fresh" in out


def test_a_file(here: Here, tmp_path: Path) -> None:
    """A file that is not a part of the configuration is checked and drawn like one that is."""
    text = "name: tries\nextends: auto-retrain\nsteps:\n  - {id: train_model, config: {folds: 5}}\n"
    (tmp_path / "tries.yaml").write_text(text, encoding="utf-8")

    code, out, _ = here("pipelines", "validate", str(tmp_path / "tries.yaml"), "--json")
    drawn = here("pipelines", "show", str(tmp_path / "tries.yaml"))[1]

    assert (code, json.loads(out)["faults"]) == (0, [])
    assert "colony pipelines compile tries" in json.loads(out)["compiled"]
    assert "train from preprocess" in drawn


def test_a_schedule_for_nobody(here: Here, own: Path) -> None:
    """A schedule for a bee that is not there is a fault with its line."""
    text = "name: weekly\nextends: auto-retrain\ntrigger: schedule\nschedule:\n  cron: 0 3 * * 1\n"
    (own / "weekly.yaml").write_text(text + "  parameters:\n    beeId: nobody\n", encoding="utf-8")

    code, out, _ = here("pipelines", "validate", "weekly")

    assert code == 2
    assert "weekly.yaml:7: schedule.parameters.beeId: there is no bee 'nobody'; one of: spam-guard" in out


def test_show(here: Here, tmp_path: Path) -> None:
    """`show` draws the graph and lists parameters with their types, and writes the drawing as SVG."""
    code, out, _ = here("pipelines", "show", "backfill-features", "--svg", str(tmp_path / "graph.svg"))

    assert code == 0
    assert "│  backfill │" in out
    assert "must be given" in out
    assert (tmp_path / "graph.svg").read_text(encoding="utf-8").endswith("</svg>\n")


def test_unknown(here: Here) -> None:
    """A name that is neither a template nor a file is refused with the names there are."""
    code, out, error = here("pipelines", "show", "nope")

    assert code == 2
    assert "there is no template 'nope'" in out + error
    assert here("pipelines", "validate", "nope.yaml")[0] == 2

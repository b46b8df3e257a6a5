"""`colony monitor` on a real store, ledger and model."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn.linear_model import LogisticRegression

from tests.worker.cli.conftest import Here
from tests.worker.monitor.watched import DAY, SPEC, START, fill
from worker.cli.common import opened
from worker.features.port import Definition
from worker.models.port import Deployment, ModelVersion

METADATA = {"features": ["left"], "kinds": {"left": "number"}, "task": "binary"}
AS_OF = "2024-02-10"


@pytest.fixture(name="model", scope="module")
def _model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a model that says 1 where `left` is 5 or more."""
    from worker.adapters.models.skops_format import SkopsFormat

    rows = np.arange(10.0).repeat(20).reshape(-1, 1)
    path = tmp_path_factory.mktemp("model") / "model.skops"
    fitted = LogisticRegression(C=100.0).fit(rows, (rows[:, 0] >= 5).astype(float))
    SkopsFormat().dump(fitted, METADATA, path)
    return path


@pytest.fixture(name="colony")
def _colony(here: Here, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    """Give the commands on sixty days of rows, the bee's model in production; from day 50 on no labels come."""
    bees = tmp_path / "layer" / "bees"
    bees.mkdir(parents=True)
    (bees / "watched.yaml").write_text(yaml.safe_dump({**SPEC, "features": ["left"]}), encoding="utf-8")
    (bees / "idle.yaml").write_text(yaml.safe_dump({**SPEC, "bee": "idle"}), encoding="utf-8")
    monkeypatch.setenv("COLONY_CONFIG", str(tmp_path / "layer"))
    with opened() as app:
        for name, type_ in (("left", "number"), ("colour", "string"), ("label", "number")):
            app.features.define(Definition(name, "thing", type_))  # type: ignore[arg-type]
        fill(app.features, range(33), labels_after=timedelta(0))
        fill(app.features, range(33, 50), wrong=4, shift=5, labels_after=timedelta(0))
        fill(app.features, range(50, 60))
        artifact = app.artifacts.put(model)
        with app.ledger.begin() as transaction:
            transaction.models.add(
                ModelVersion("watched", "1", "deployed", artifact, None, START, gate_passed=True,
                             metrics={"accuracy": 0.99})
            )  # fmt: skip
            transaction.models.deploy(Deployment("watched", 1, "1", None, START, "first", None))
    return here


def _events(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_person_reads_metrics_and_drift(colony: Here) -> None:
    """The table has value, interval, baseline and count of each metric, and the drifted features first."""
    code, out, _ = colony("monitor", "watched", "--as-of", AS_OF)
    assert code == 0
    lines = out.splitlines()
    assert "watched version 1, 2024-02-03..2024-02-10" in lines[0]
    assert "70 labelled rows" in lines[0]
    (accuracy,) = [line.split() for line in lines if line.startswith("accuracy")]
    assert accuracy[2] == "to" or accuracy[3] == "to"
    assert "worse" in accuracy
    assert accuracy[-1] == "70"
    assert any(line.startswith("drift high") for line in lines)
    assert [line.split()[0] for line in lines[-2:]] == ["predictions", "left"]


def test_each_bee_with_a_model_is_judged_by_default(colony: Here) -> None:
    """Without BEE the one in production is judged, the one without a model is left out; named, it is an error."""
    code, out, _ = colony("monitor", "--as-of", AS_OF, "--json")
    assert code == 0
    assert [event["data"]["beeId"] for event in _events(out)] == ["watched"]
    assert colony("monitor", "idle")[0] == 4
    assert colony("monitor", "stranger")[0] == 4


def test_published_it_is_decided_once(colony: Here) -> None:
    """On the local bus the evaluation is decided at once; asked for again it is the same event."""
    code, out, _ = colony("monitor", "watched", "--as-of", AS_OF, "--publish")
    assert (code, "trigger" in out.splitlines()[-1]) == (0, True)
    code, out, _ = colony("monitor", "watched", "--as-of", AS_OF, "--publish")
    assert (code, "duplicate" in out.splitlines()[-1]) == (0, True)
    decisions = _events(colony("decisions", "--json")[1])
    assert [one["action"] for one in decisions][-1] == "trigger"
    assert decisions[-1]["beeId"] == "watched"


def test_without_publish_nothing_is_told(colony: Here) -> None:
    """Judging alone leaves the ledger as it was."""
    colony("monitor", "watched", "--as-of", AS_OF)
    assert colony("decisions", "--json")[1] == ""


def test_labels_that_are_awaited_are_said_and_not_published(colony: Here) -> None:
    """A window without its labels is neither an error nor an evaluation: it is told, and --publish says try later."""
    code, out, _ = colony("monitor", "watched", "--as-of", "2024-02-28")
    assert (code, "awaited" in out) == (0, True)
    code, _, errors = colony("monitor", "watched", "--as-of", "2024-02-28", "--publish")
    assert (code, "neither published nor saved" in errors) == (3, True)
    assert colony("decisions", "--json")[1] == ""


def test_saved_evaluations_are_what_replay_reads(colony: Here, tmp_path: Path) -> None:
    """Several times in one go are several events, in a file that a replay takes."""
    file = str(tmp_path / "saved.jsonl")
    times = [f"{START + day * DAY:%Y-%m-%d}" for day in (31, 32)]
    words = [word for time in times for word in ("--as-of", time)]
    code, out, _ = colony("monitor", "watched", *words, "--save", file, "--json")
    assert code == 0
    assert _events(out) == _events(Path(file).read_text(encoding="utf-8"))
    assert len({event["id"] for event in _events(out)}) == 2
    code, out, _ = colony("replay", file, "--json")
    assert code == 0
    assert [one["action"] for one in _events(out)] == ["none", "none"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--as-of", "2924-01-01"],
        ["--as-of", "yesterday"],
        ["--window", "0d"],
        ["--window", "a week"],
        ["--reference", "last-year"],
    ],
)
def test_what_makes_no_sense_is_refused(here: Here, wrong: list[str]) -> None:
    """Exit code 2, before anything is read."""
    code, out, errors = here("monitor", "spam-guard", *wrong)
    assert (code, out) == (2, "")
    assert wrong[0] in errors


def test_a_version_is_somebodys(colony: Here) -> None:
    """--version needs the bee, and must exist."""
    assert colony("monitor", "--version", "1")[0] == 2
    assert colony("monitor", "watched", "--version", "9")[0] == 4
    assert colony("monitor", "watched", "--version", "1", "--as-of", AS_OF)[0] == 0


def test_a_bee_that_declares_it_is_judged_by_the_worker(colony: Here, tmp_path: Path) -> None:
    """The loop hands the evaluation to the intake, which decides; what it did is not done again by the next worker."""
    spec = {**SPEC, "features": ["left"], "monitor": {**SPEC["monitor"], "every": "7d"}}
    (tmp_path / "layer" / "bees" / "watched.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    turns = []
    for _ in range(2):
        with opened(clock=lambda: START + 40 * DAY) as app:
            turns.append(app.watch.turn())
            with app._database.begin() as connection:
                # The lease is over; what is recorded alone keeps the next one from doing it again.
                connection.exec_driver_sql("UPDATE leases SET until = 0")
    assert turns == [1, 0]
    (decision,) = _events(colony("decisions", "--json")[1])
    assert (decision["action"], decision["beeId"]) == ("trigger", "watched")


def test_only_bees_that_declare_it_have_a_loop(colony: Here, tmp_path: Path) -> None:
    """As shipped nobody is watched; one declaration is enough for the loop to be there."""
    with opened() as app:
        assert "colony-monitor" not in [loop.name for loop in app.loops()]
    spec = {**SPEC, "bee": "idle", "monitor": {"every": "7d"}}
    (tmp_path / "layer" / "bees" / "idle.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    with opened() as app:
        assert "colony-monitor" in [loop.name for loop in app.loops()]

"""`colony backtest` on a small history that changes its mind half-way: real stores, ledgers, engine and models."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.worker.cli.conftest import Here
from worker.cli.common import opened
from worker.features.port import Definition, Write

START = datetime(2024, 1, 4, tzinfo=UTC)
DAY = timedelta(days=1)
SPEC: dict[str, Any] = {
    "bee": "turning",
    "entity": "thing",
    "label": "label",
    "features": ["left", "right"],
    "metric": "accuracy",
    "window": "7d",
    "trainer": {"type": "tabular", "algorithm": "logistic_regression"},
    "gate": {"minRows": 20, "minPositives": 0, "minNewRows": 10, "resamples": 200},
    "monitor": {"drift": {"minRows": 1000}},
    "rollout": {
        "strategy": "canary",
        "steps": [{"percent": percent, "minTime": "1d", "minOutcomes": 30} for percent in (50, 100)],
    },
}


def _fill(store: Any, days: int, turns: int) -> None:
    """Write forty things a day; from day `turns` on the label is the other one."""
    rng, writes = np.random.default_rng(3), []
    for day in range(days):
        for number in range(40):
            time, thing = START + day * DAY + number * timedelta(minutes=30), f"t{day}-{number}"
            left, right = rng.normal(size=2)
            truth = float((left > 0) != (day >= turns))
            for name, value in (("left", left), ("right", right), ("label", truth)):
                writes.append(Write(thing, name, float(value), time, time))
    store.write(writes)


@pytest.fixture(name="colony")
def _colony(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    """Give the commands on four weeks of rows."""
    bees = tmp_path / "layer" / "bees"
    bees.mkdir(parents=True)
    (bees / "turning.yaml").write_text(yaml.safe_dump(SPEC), encoding="utf-8")
    monkeypatch.setenv("COLONY_CONFIG", str(tmp_path / "layer"))
    with opened() as app:
        for name in ("left", "right", "label"):
            app.features.define(Definition(name, "thing", "number"))
        _fill(app.features, 27, 9)
    return here


def test_a_history_is_lived_through_by_each_policy(colony: Here, home: Path, tmp_path: Path) -> None:
    """The managed model notices the turn and is retrained past it; nothing of it is in the real ledger or store."""
    picture = tmp_path / "curves.svg"
    stored = [path.stat().st_size for path in sorted((home / "features").glob("features.sqlite"))]

    code, out, errors = colony("backtest", "--bee", "turning", "--json", "--svg", str(picture))

    assert code == 0, errors
    said = json.loads(out)
    policies = said["policies"]
    assert [said["from"][:10], said["until"][:10], len(said["periods"])] == ["2024-01-11", "2024-01-30", 3]
    assert said["rows"] == 20 * 40
    assert (policies["never"]["retrains"], policies["weekly"]["retrains"]) == (0, 2)
    assert policies["managed"]["deployments"] >= 1, errors
    assert policies["managed"]["metric"] > policies["never"]["metric"] + 0.1
    assert policies["never"]["metric"] < 0.7
    assert policies["managed"]["cpuSeconds"] > 0
    begun, advanced, deployed = (
        [change["at"][:10] for change in policies["managed"]["changes"] if change["what"] == what]
        for what in ("rollout begun", "rollout advanced", "deployed")
    )
    assert (begun, len(advanced), len(deployed)) == (["2024-01-18"], 1, 1), "the canary was looked at day by day"
    assert begun < advanced < deployed
    assert "50%" in said["periods"][1]["policies"]["managed"]["served"]
    assert "</svg>" in picture.read_text(encoding="utf-8")
    assert [path.stat().st_size for path in sorted((home / "features").glob("features.sqlite"))] == stored
    assert colony("runs", "--json")[1] == "", "the real ledger knows nothing of it"
    assert "closed" in _in(home / "backtest" / "turning" / "managed", colony, "incidents")


def test_a_history_can_begin_with_a_version_that_is_there(colony: Here) -> None:
    """It serves from the end of its training on, and only what came after that is scored."""
    code, _, errors = colony("trigger", "auto-retrain", "--bee", "turning", "--as-of", "2024-01-16", "--wait")
    assert code == 0, errors

    code, out, errors = colony("backtest", "--bee", "turning", "--champion", "1", "--policies", "never", "--json")

    assert code == 0, errors
    said = json.loads(out)
    assert said["firstChampion"]["version"] == "1"
    assert (said["from"][:10], said["until"][:10], list(said["policies"])) == ("2024-01-18", "2024-01-30", ["never"])
    assert said["rows"] == 13 * 40


def _in(home: Path, colony: Here, *words: str) -> str:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("COLONY_HOME", str(home))
        return colony(*words)[1]


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (("--bee", "nobody"), "there is no bee 'nobody'", 4),
        (("--bee", "turning", "--from", "2024-02-01"), "nothing is left of the history", 2),
        (("--bee", "turning", "--metric", "rmse"), "is not computed for binary tasks", 2),
        (("--bee", "turning", "--champion", "9"), "there is no version 9", 4),
        (("--bee", "turning", "--policies", "managed,monthly"), "'monthly' is not known", 2),
        (("--bee", "turning", "--every", "0s"), "longer than nothing", 2),
    ],
)
def test_what_cannot_be_lived_through_is_refused(colony: Here, words: tuple[str, ...], said: str, code: int) -> None:
    """With what is wrong, and before anything is trained."""
    found, _, errors = colony("backtest", *words)

    assert (found, said in errors) == (code, True), errors

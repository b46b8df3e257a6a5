"""`colony ab` on a real store, ledger, engine and models."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn.linear_model import LogisticRegression

from tests.worker.cli.conftest import Here
from tests.worker.monitor.watched import DAY, SPEC, START, fill
from worker.abtest.plan import AbPlan
from worker.cli.common import opened
from worker.features.port import Definition
from worker.models.port import Deployment, ModelVersion
from worker.runs.ab_test import begin

METADATA = {"features": ["left"], "kinds": {"left": "number"}, "task": "binary"}
#: The two versions: one says 1 from 5 on, which is right, the other from 7 on.
LIMITS = {"1": 7, "2": 5}


@pytest.fixture(name="models", scope="module")
def _models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from worker.adapters.models.skops_format import SkopsFormat

    directory, made = tmp_path_factory.mktemp("models"), {}
    for name, limit in LIMITS.items():
        rows = np.arange(10.0).repeat(20).reshape(-1, 1)
        made[name] = directory / f"{name}.skops"
        fitted = LogisticRegression(C=100.0).fit(rows, (rows[:, 0] >= limit).astype(float))
        SkopsFormat().dump(fitted, METADATA, made[name])
    return made


@pytest.fixture(name="colony")
def _colony(here: Here, models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    """Give the commands on eighty days of rows, ten a day, version 1 in production; a third passed no gate."""
    bees = tmp_path / "layer" / "bees"
    bees.mkdir(parents=True)
    (bees / "watched.yaml").write_text(yaml.safe_dump({**SPEC, "features": ["left"]}), encoding="utf-8")
    monkeypatch.setenv("COLONY_CONFIG", str(tmp_path / "layer"))
    with opened() as app:
        for name, type_ in (("left", "number"), ("colour", "string"), ("label", "number")):
            app.features.define(Definition(name, "thing", type_))
        fill(app.features, range(80), labels_after=timedelta(0))
        with app.ledger.begin() as transaction:
            for name, path in [*models.items(), ("3", models["2"])]:
                artifact, state = app.artifacts.put(path), "deployed" if name == "1" else "registered"
                made = ModelVersion("watched", name, state, artifact, None, START, gate_passed=name != "3")
                transaction.models.add(made)
            transaction.models.deploy(Deployment("watched", 1, "1", None, START, "first", None))
    return here


def _rows(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


AS_OF = ("--exposure", "assigned", "--as-of", f"{START + 30 * DAY:%Y-%m-%d}")


def test_from_plan_to_report(colony: Here, tmp_path: Path) -> None:
    """A plan shows what it takes; the test begins by its run, is looked at, and its report is a table and a page."""
    asked = ("watched", "1", "2", "--minimum-effect", "0.1", *AS_OF)
    code, out, _ = colony("ab", "plan", *asked, "--json")
    (planned,) = _rows(out)

    assert (code, planned["state"]) == (0, "planned")
    assert sum(planned["forecast"]["requiredSample"]["sequential"]) > 100
    assert colony("ab", "list")[1] == "no A/B test is under way; `--all` lists those that are over\n"

    start = ("ab", "start", *asked, "--max-duration", "40d", "-p", "every=4d", "--guard", "recall=0.05", "--key", "k")
    code, out, _ = colony(*start, "--wait")
    test = out.splitlines()[0]
    again = colony(*start)[1]
    assert (code, again.strip()) == (0, test)
    (begun,) = _rows(colony("ab", "list", "--all", "--json")[1])
    assert begun["plan"]["guards"] == {"recall": {"margin": 0.05, "relative": False, "minSamples": 100}}

    code, out, _ = colony("ab", "look", "--json") if begun["state"] == "running" else (0, "", "")
    (ended,) = _rows(colony("ab", "status", test, "--json")[1])
    assert (code, ended["state"], ended["winner"], ended["trafficSplit"]) == (0, "concluded", "2", {"1": 100})
    assert ended["results"]["asOf"] < ended["endsBy"]

    page = tmp_path / "report.html"
    code, out, _ = colony("ab", "report", test, "--html", str(page))
    assert code == 0
    assert "version 2 is better than 1" in out.lower()
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert colony("ab", "stop", test, "--reason", "late")[0] == 5


REFUSED: list[tuple[tuple[str, ...], int, str]] = [
    (("nobody", "1", "2", "--minimum-effect", "0.1"), 4, "there is no bee 'nobody'"),
    (("watched", "1", "9", "--minimum-effect", "0.1"), 4, "there is no version 9"),
    (("watched", "1", "3", "--minimum-effect", "0.1"), 2, "has not passed its gate"),
    (("watched", "1", "--minimum-effect", "0.1"), 2, "versions must name two"),
    (("watched", "1", "2", "--minimum-effect", "-1"), 2, "greater than 0"),
    (("watched", "1", "2", "--minimum-effect", "0.1", "--split", "60,60"), 2, "100 in all"),
    (("watched", "1", "2", "--minimum-effect", "0.1", "--split", "a,b"), 2, "not a number"),
    (("watched", "1", "2", "--minimum-effect", "0.1", "-p", "loops=1"), 2, "loops"),
]


def test_what_is_refused(colony: Here) -> None:
    """What can be no test is refused before anything is stored, by its name."""
    for place, (words, code, told) in enumerate(REFUSED):
        found, _, errors = colony("ab", ("plan", "start")[place % 2], *words)

        assert (found, told in errors) == (code, True), errors
    assert _rows(colony("runs", "--json")[1]) == []


def test_forced_and_stopped(colony: Here) -> None:
    """With --force and a reason a version without a passed gate is tried, which stays recorded; a person ends it."""
    asked = ("ab", "start", "watched", "1", "3", "--minimum-effect", "0.1", "--force")
    assert colony(*asked, "--reason", " ")[0] == 2
    assert colony(*asked, "--reason", "we must know")[0] == 0
    assert "we must know" in colony("models", "--json")[1]
    (run,) = _rows(colony("runs", "--json")[1])
    told = {"plan": {"versions": ["1", "3"], "minimumEffect": 0.1}, "forecast": None}
    with opened() as app, app.ledger.begin() as transaction:
        begin(transaction.runs.get(run["runId"]), told, transaction, START)

    (begun,) = _rows(colony("ab", "list", "--json")[1])
    assert begun["forced"] == {"3": "for an A/B test: we must know"}
    assert begun["trafficSplit"] == {"1": 50, "3": 50}
    assert colony("ab", "start", "watched", "1", "2", "--minimum-effect", "0.1")[0] == 5
    code, out, _ = colony("ab", "stop", begun["testId"], "--reason", "enough", "--by", "ann")
    assert (code, "version 1 serves everybody" in out) == (0, True)
    (ended,) = _rows(colony("ab", "list", "--all", "--json")[1])
    assert (ended["state"], ended["stoppedBy"], ended["reason"]) == ("stopped", "ann", "enough")
    assert colony("ab", "status", "ab-none")[0] == 4


def test_what_is_served_and_logged(colony: Here) -> None:
    """While a test runs each entity is answered by the version of its share; the log tells who was exposed to what."""
    assert colony("ab", "start", "watched", "1", "2", "--minimum-effect", "0.1", "--key", "k")[0] == 0
    (run,) = _rows(colony("runs", "--json")[1])
    told = {"plan": {"versions": ["1", "2"], "minimumEffect": 0.1}, "forecast": None}
    with opened() as app:
        with app.ledger.begin() as transaction:
            test = begin(transaction.runs.get(run["runId"]), told, transaction, app.clock())
        things = [f"t{day}-{number}" for day in range(3) for number in range(10)]
        served = {one: _predict(app, one)["version"] for one in things for _ in range(2)}
        traffic = plan_of(test).traffic(test.id)
        assert served == {one: traffic.version_for(one) for one in things}
        assert set(served.values()) == {"1", "2"}
    colony("ab", "look")
    (looked,) = _rows(colony("ab", "status", "--json")[1])

    assert looked["fault"] is None
    counts = [list(served.values()).count(name) for name in ("1", "2")]
    assert (looked["results"]["exposed"], looked["results"]["ratio"]["crossed"]) == (counts, 0)


def _predict(app: Any, thing: str) -> dict[str, Any]:
    answer: dict[str, Any] = app.predictions.predict(app.bees["watched"], app.clock(), entity_id=thing)
    return answer


def plan_of(trial: Any) -> AbPlan:
    """Return the plan of a stored test."""
    return AbPlan.of(trial.detail["plan"])

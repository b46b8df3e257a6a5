"""The demo's real data in a real feature store, and runs of the step bodies against it."""

import csv
import gzip
import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from worker.adapters.features.local import LocalFeatureStore
from worker.adapters.models.local import LocalArtifacts
from worker.adapters.models.skops_format import SkopsFormat
from worker.bee import BeeSpec
from worker.clock import parse_time
from worker.features.port import Definition, Write
from worker.steps.__main__ import load_step
from worker.steps.execute import execute
from worker.steps.kinds import item_kind
from worker.steps.step import Ports, StepContext

ROOT = Path(__file__).parents[3]
ORDER = ("data_collection", "data_preprocessing", "training", "evaluation", "registration", "deployment")


def _rows(name: str) -> list[dict[str, str]]:
    with gzip.open(ROOT / "deploy" / "demo" / name, "rt", newline="") as file:
        return list(csv.DictReader(file))


def _number(row: dict[str, str], column: str) -> float | None:
    return float(row[column]) if row[column] else None


def _features(name: str, entity: str) -> Iterator[Write]:
    for row in _rows(name):
        for column in row.keys() - {f"{entity}_id", "event_timestamp", "created"}:
            yield Write(
                row[f"{entity}_id"],
                column,
                _number(row, column),
                parse_time(row["event_timestamp"]),
                parse_time(row["created"]),
            )


def _observations() -> Iterator[Write]:
    for row in _rows("messages.csv.gz"):
        moment = parse_time(row["event_timestamp"])
        yield Write(row["content_id"], "label", float(row["label"]), moment, moment)
        yield Write(row["content_id"], "user_id", row["user_id"], moment, moment)


@pytest.fixture(scope="session", name="demo_store")
def _demo_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFeatureStore]:
    """The demo's user and content features, labels and senders, as the demo imports them."""
    store = LocalFeatureStore(tmp_path_factory.mktemp("features"), clock=lambda: datetime.now(UTC))
    for name, entity in (("user_features.csv.gz", "user"), ("content_features.csv.gz", "content")):
        for column in _rows(name)[0].keys() - {f"{entity}_id", "event_timestamp", "created"}:
            store.define(Definition(column, entity, "number"))
        store.write(_features(name, entity))
    store.define(Definition("label", "content", "number"))
    store.define(Definition("user_id", "content", "string"))
    store.write(_observations())
    yield store
    store.close()


@pytest.fixture(scope="session", name="spam_guard")
def _spam_guard() -> BeeSpec:
    """The shipped bee."""
    text = (ROOT / "config" / "bees" / "spam-guard.yaml").read_text(encoding="utf-8")
    return BeeSpec.model_validate(yaml.safe_load(text))


@dataclass
class Runner:
    """Runs the six bodies in order, as an engine would, but in this process."""

    ports: Ports
    directory: Path
    paths: dict[str, Path] = field(default_factory=dict)
    lists: dict[str, list[Path]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def frozen(self, bee: BeeSpec, as_of: str, **more: Any) -> dict[str, Any]:
        """Return a run's frozen parameters, as JSON carries them."""
        run = {
            "id": f"auto-retrain-{bee.bee}-{self.directory.name}",
            "template": "auto-retrain",
            "bee": bee.frozen(),
            "parameters": {},
            "asOf": as_of,
            "seed": 7,
            "champion": None,
            "newRowsSince": None,
            "definitions": {},
            "policyVersion": "p1",
            "codeVersion": "c1",
            "incident": None,
            "attempt": 1,
            "outputDir": str(self.directory),
        } | more
        copied: dict[str, Any] = json.loads(json.dumps(run))
        return copied

    def each(self, name: str, run: dict[str, Any], configs: Sequence[dict[str, Any]]) -> None:
        """Run one step for each of several items at the same time; what it gave is a list for the later ones."""
        with ThreadPoolExecutor(max_workers=4) as pool:
            going = [pool.submit(self.step, name, run, one, f"{name}/{n}") for n, one in enumerate(configs)]
            contexts = [one.result() for one in going]
        for output in load_step(name).outputs:
            self.lists[output] = [context.outputs[output] for context in contexts]

    def step(
        self, name: str, run: dict[str, Any], config: dict[str, Any] | None = None, place: str = ""
    ) -> StepContext:
        """Run one step on what the earlier ones left."""
        place = place or name
        step = load_step(name)
        outputs = {output: self.directory / place / output for output in step.outputs}
        for path in outputs.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        context = StepContext(
            config=step.config.model_validate(config or {}),
            run=run,
            bee=BeeSpec.model_validate(run["bee"]),
            inputs={name: self.paths[name] for name, kind in step.inputs.items() if item_kind(kind) is None},
            outputs=outputs,
            output_dir=self.directory,
            ports=self.ports,
            lists={name: self.lists[name] for name, kind in step.inputs.items() if item_kind(kind) is not None},
        )
        self.values |= execute(step, context, task=place if "/" in place else "")
        self.paths |= outputs
        return context

    def run(self, run: dict[str, Any], steps: tuple[str, ...] = ORDER) -> dict[str, Any]:
        """Run the steps and return the outcome."""
        for name in steps:
            self.step(name, run)
        outcome: dict[str, Any] = json.loads((self.directory / "outcome.json").read_bytes())
        return outcome


@pytest.fixture(scope="session", name="artifacts")
def _artifacts(tmp_path_factory: pytest.TempPathFactory) -> LocalArtifacts:
    """One artifact directory for all runs of the session."""
    return LocalArtifacts(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session", name="new_runner")
def _new_runner(
    demo_store: LocalFeatureStore, artifacts: LocalArtifacts, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """Make runners, each in a directory of its own; `features` replaces the demo's store."""

    def make(features: Any = demo_store) -> Runner:
        ports = Ports(features=features, artifacts=artifacts, models=SkopsFormat())
        return Runner(ports, tmp_path_factory.mktemp("run"))

    return make


def as_champion(outcome: dict[str, Any], version: str = "1") -> dict[str, Any]:
    """Return the champion of later runs, from the run that made it."""
    challenger = outcome["challenger"]
    told = {name: challenger[name] for name in ("uri", "sha256", "trainedUntil")}
    return {"version": version, "baseline": challenger["metrics"], **told}


@dataclass(frozen=True)
class Done:
    """A run of all steps, which others begin from copies of."""

    runner: Runner
    run: dict[str, Any]
    outcome: dict[str, Any]

    def copied(self, runner: Runner) -> tuple[Runner, dict[str, Any]]:
        """Return a runner that has come as far, in its own directory, and the run there."""
        shutil.copytree(self.runner.directory, runner.directory, dirs_exist_ok=True)
        old = self.runner.directory
        runner.paths = {name: runner.directory / path.relative_to(old) for name, path in self.runner.paths.items()}
        return runner, self.run | {"outputDir": str(runner.directory)}


def _done(runner: Runner, run: dict[str, Any]) -> Done:
    return Done(runner, run, runner.run(run))


@pytest.fixture(scope="session", name="july")
def _july(new_runner: Any, spam_guard: BeeSpec) -> Done:
    """The first run, on July 2002."""
    runner = new_runner()
    return _done(runner, runner.frozen(spam_guard, "2002-08-01T00:00:00Z"))


@pytest.fixture(scope="session", name="october")
def _october(new_runner: Any, spam_guard: BeeSpec, champion: dict[str, Any]) -> Done:
    """The retraining after the drift, with the model of July in production."""
    runner = new_runner()
    return _done(runner, runner.frozen(spam_guard, "2002-10-01T00:00:00Z", champion=champion))


@pytest.fixture(scope="session", name="bootstrap")
def _bootstrap(july: Done) -> dict[str, Any]:
    """The outcome of the first run."""
    return july.outcome


@pytest.fixture(scope="session", name="champion")
def _champion(bootstrap: dict[str, Any]) -> dict[str, Any]:
    """The first model, in production."""
    return as_champion(bootstrap)

"""A bee with two models of which one is right more often, a real feature store, and a log of what was served."""
# ruff: noqa: ARG002 - fakes have the whole signature of their port

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from worker.abtest.judge import Judge
from worker.abtest.machine import AbTest
from worker.abtest.plan import AbPlan
from worker.adapters.features.local import LocalFeatureStore
from worker.bee import BeeSpec
from worker.features.port import Definition, Write
from worker.models.port import Artifact, ModelVersion, Scored
from worker.models.traffic import Traffic
from worker.serving.served import Answer, Served, definitions_of, writes_of

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
START = datetime(2024, 3, 1, tzinfo=UTC)
BEE = BeeSpec.model_validate(
    {
        "bee": "ab-bee",
        "entity": "visitor",
        "label": "label",
        "features": ["seed", "country"],
        "metric": "f1",
        "window": "10d",
    }
)
#: How often each version is right.
RIGHT = {"1": 0.6, "2": 0.85, "3": 0.6}
PLAN: dict[str, Any] = {"versions": ["1", "2"], "minimumEffect": 0.1, "maxDuration": "10d", "every": "6h"}


def draw(*words: object) -> float:
    """Return a number in [0, 1) that is the same for the same words."""
    text = ":".join(map(str, words))
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32


def plan(**changes: Any) -> AbPlan:
    """Return the plan, changed."""
    return AbPlan.model_validate({**PLAN, **changes})


def running(**changes: Any) -> AbTest:
    """Return a test that began at START."""
    asked = changes.pop("plan", None) or plan()
    base = {"id": "ab-test", "bee": BEE.bee, "champion": "1", "epoch": 2, "started_at": START, "changed_at": START}
    return AbTest(plan=asked, **{**base, **changes})


def answer(version: str, seed: float) -> float:
    """Return what a version says of a visitor whose truth is 1 for an odd seed."""
    truth = float(seed % 2)
    return truth if draw("says", version, seed) < RIGHT[version] else 1 - truth


class Model:
    """One of the versions."""

    metadata: Mapping[str, Any] = {}

    def __init__(self, version: str) -> None:
        self.version = version

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> list[Scored]:
        """Score rows."""
        said = [answer(self.version, value or 0) for value in columns["seed"]]
        return [Scored(one, 0.9 if one else 0.1) for one in said]


class Files:
    """An artifact store and a model format in one; a version's hash ends with its name."""

    def fetch(self, artifact: Artifact) -> Path:
        """Return no file."""
        return Path("model")

    def load(self, path: Path, sha256: str) -> Model:
        """Return the model."""
        return Model(sha256.lstrip("0"))


def version(name: str, **changes: Any) -> ModelVersion:
    """Return a registered version that passed its gate."""
    base: dict[str, Any] = {"state": "registered", "run_id": None, "created_at": START, "gate_passed": True}
    return ModelVersion(BEE.bee, name, artifact=Artifact(f"file:///{name}", name.rjust(64, "0")), **{**base, **changes})


VERSIONS = {name: version(name) for name in RIGHT}


def store_in(directory: Path) -> LocalFeatureStore:
    """Return a store with the bee's features and its log's defined."""
    store = LocalFeatureStore(directory, lambda: START + 400 * DAY)
    kinds = {"seed": "number", "country": "string", "label": "number"}
    for name, type_ in kinds.items():
        store.define(Definition(name, "visitor", type_))
    store.define(Definition("engagement", "visitor", "number", minimum=0.0, maximum=1.0))
    for definition in definitions_of(BEE, None):
        store.define(definition)
    return store


def judge_of(store: LocalFeatureStore) -> Judge:
    """Return a judge on a store."""
    return Judge(lambda: store, Files(), Files())  # type: ignore[arg-type]


def visitors(number: int, start: datetime, span: timedelta, *, first: int = 0) -> list[tuple[str, float, datetime]]:
    """Return visitors with their seeds and the times at which they come, evenly."""
    return [(f"v{first + n}", float(first + n), start + span * n / number) for n in range(number)]


def arrive(store: LocalFeatureStore, who: Iterable[tuple[str, float, datetime]], label_after: timedelta = HOUR) -> None:
    """Write visitors' features as they come, and their labels as they become known."""
    writes = []
    for name, seed, time in who:
        country = "fr" if draw("country", name) < 0.5 else "ca"
        writes += [Write(name, "seed", seed, time, time), Write(name, "country", country, time, time)]
        known = time + label_after
        writes.append(Write(name, "label", seed % 2, known, known))
    store.write(writes)


def serve(store: LocalFeatureStore, who: Iterable[tuple[str, float, datetime]], traffic: Traffic, **more: Any) -> None:
    """Log that each visitor was answered by the version of their share."""
    writes: list[Write] = []
    for name, seed, time in who:
        chosen = traffic.version_for(name)
        said = {chosen: Answer(answer(chosen, seed), 0.9)}
        writes += writes_of(BEE, name, time + MINUTE, Served(chosen, said, **more))
    store.write(writes)

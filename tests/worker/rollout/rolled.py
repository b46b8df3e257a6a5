"""A bee whose rows are in a real feature store, with models that say 1 from a threshold on, for tests of rollouts."""
# ruff: noqa: ARG002 - fakes have the whole signature of their port

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from worker.adapters.features.local import LocalFeatureStore
from worker.bee import BeeSpec
from worker.errors import NotFound
from worker.features.port import Definition, Write
from worker.models.port import Artifact, ModelVersion, Scored
from worker.rollout.outcomes import Outcomes
from worker.rollout.scoring import Pair, Scorers

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
START = datetime(2024, 1, 1, tzinfo=UTC)
SPEC: dict[str, Any] = {
    "bee": "rolled",
    "entity": "thing",
    "label": "label",
    "features": ["left"],
    "metric": "accuracy",
    "rollout": {"strategy": "canary"},
}


def bee(**changes: Any) -> BeeSpec:
    """Return the bee's spec, changed."""
    return BeeSpec.model_validate({**SPEC, **changes})


def version(number: str, threshold: float) -> ModelVersion:
    """Return a version whose model says 1 from a threshold on."""
    artifact = Artifact(f"mem://{threshold:g}", f"{threshold:064.0f}")
    return ModelVersion("rolled", number, "registered", artifact, None, START, gate_passed=True)


def store_in(directory: Path) -> LocalFeatureStore:
    """Return a store with the bee's features defined."""
    store = LocalFeatureStore(directory, lambda: START + 300 * DAY)
    for name in ("left", "label"):
        store.define(Definition(name, "thing", "number"))
    return store


def fill(store: LocalFeatureStore, days: range, *, known_after: timedelta = timedelta(0), per_day: int = 20) -> None:
    """Write so many things a day, `left` from 0 to 9; the label is 1 from 5 on, and known so long after the thing."""
    writes = []
    for day in days:
        for number in range(per_day):
            time, thing, left = START + day * DAY + number * HOUR, f"t{day}-{number}", float(number % 10)
            writes.append(Write(thing, "left", left, time, time))
            writes.append(Write(thing, "label", float(left >= 5), time, time + known_after))
    store.write(writes)


@dataclass
class Threshold:
    """Says 1 from a threshold on, and counts the rows that it was asked about."""

    threshold: float
    asked: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> list[Scored]:
        """Score rows."""
        self.asked += len(columns["left"])
        if self.threshold < 0:
            raise ValueError("it was trained for something else")
        return [
            Scored(float((value or 0) >= self.threshold), min(max((value or 0) / 10, 0.0), 1.0))
            for value in columns["left"]
        ]


@dataclass
class Files:
    """An artifact store and a model format in one; a model is its threshold.

    Attributes:
        gone: URIs that are not there.
        loaded: every model that was loaded.
    """

    gone: set[str] = field(default_factory=set)
    loaded: list[Threshold] = field(default_factory=list)

    def fetch(self, artifact: Artifact) -> Path:
        """Return a place that says what the model is."""
        if artifact.uri in self.gone:
            raise NotFound(f"{artifact.uri} is gone")
        return Path(artifact.uri.removeprefix("mem://"))

    def load(self, path: Path, sha256: str) -> Threshold:
        """Return the model."""
        self.loaded.append(Threshold(float(path.name)))
        return self.loaded[-1]


def outcomes(store: LocalFeatureStore, files: Files | None = None) -> Outcomes:
    """Return what reads and scores."""
    held = files or Files()
    return Outcomes(Scorers(lambda: store, held, held))  # type: ignore[arg-type]


def pair(champion: float = 5, challenger: float = 5, since: datetime = START, spec: BeeSpec | None = None) -> Pair:
    """Return champion 1 and challenger 2 with their thresholds."""
    return Pair(spec or bee(), version("1", champion), version("2", challenger), since)

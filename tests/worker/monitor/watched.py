"""A bee whose rows are in a real feature store, and a model that reads one feature, for tests of the monitor."""
# ruff: noqa: ARG002 - fakes have the whole signature of their port

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from worker.adapters.features.local import LocalFeatureStore
from worker.bee import BeeSpec
from worker.features.port import Definition, Write
from worker.models.port import Artifact, ModelVersion, Scored
from worker.monitor.judge import Asked, Monitor

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = START + 60 * DAY
SPEC: dict[str, Any] = {
    "bee": "watched",
    "entity": "thing",
    "label": "label",
    "features": ["left", "colour"],
    "metric": "accuracy",
    "monitor": {"window": "7d", "drift": {"minRows": 20}},
}


def bee(**monitor: Any) -> BeeSpec:
    """Return the bee's spec, its monitor changed."""
    return BeeSpec.model_validate({**SPEC, "monitor": {**SPEC["monitor"], **monitor}})


def store_in(directory: Path) -> LocalFeatureStore:
    """Return a store with the bee's features defined."""
    store = LocalFeatureStore(directory, lambda: NOW + 300 * DAY)
    for name, type_ in (("left", "number"), ("colour", "string"), ("label", "number")):
        store.define(Definition(name, "thing", type_))  # type: ignore[arg-type]
    return store


def fill(
    store: LocalFeatureStore, days: range, *, shift: float = 0.0, wrong: int = 0, labels_after: Any = None
) -> None:
    """Write ten things a day; `wrong` of them have the other label, which is known `labels_after` that (None: never).

    The model is right where it says 1 for a `left` of 5 or more.
    """
    writes = []
    for day in days:
        for number in range(10):
            time = START + day * DAY + number * timedelta(hours=2)
            truth = float((number >= 5) != (number < wrong))
            thing = f"t{day}-{number}"
            writes += [
                Write(thing, "left", number + shift, time, time),
                Write(thing, "colour", "red" if number % 2 else "blue", time, time),
            ]
            if labels_after is not None:
                writes.append(Write(thing, "label", truth, time, time + labels_after))
    store.write(writes)


class Threshold:
    """Says 1 where `left` is 5 or more."""

    metadata: Mapping[str, Any] = {}

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> list[Scored]:
        """Score rows."""
        return [Scored(float((value or 0) >= 5), min(max((value or 0) / 10, 0.0), 1.0)) for value in columns["left"]]


class Files:
    """An artifact store and a model format in one, with one model."""

    def fetch(self, artifact: Artifact) -> Path:
        """Return no file."""
        return Path("model")

    def load(self, path: Path, sha256: str) -> Threshold:
        """Return the model."""
        return Threshold()


def version(**lineage: Any) -> ModelVersion:
    """Return the version that is judged."""
    artifact = Artifact("file:///model", "0" * 64)
    return ModelVersion(
        "watched", "1", "deployed", artifact, None, START, gate_passed=True, metrics={"accuracy": 0.9}, lineage=lineage
    )


def monitor_of(store: LocalFeatureStore) -> Monitor:
    """Return a monitor on a store."""
    return Monitor(lambda: store, Files(), Files())  # type: ignore[arg-type]


def asked(spec: BeeSpec, day: int, **lineage: Any) -> Asked:
    """Ask about the version as of a day after START."""
    return Asked.at(spec, version(**lineage), START + day * DAY)

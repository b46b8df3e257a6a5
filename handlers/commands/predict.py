"""Predict with the champion: features read online for an entity, or given; the model reloaded when the epoch moves."""

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from handlers.commands.skew_guard import check_skew, trained_with
from worker.bee import BeeSpec
from worker.errors import NotFound, Rejected
from worker.features.port import FeatureStore, Reader, Reading, Status
from worker.features.skew import Guard
from worker.ledger import Ledger
from worker.models.port import ArtifactStore, ModelFormat, Predictor

log = structlog.get_logger()


@dataclass(frozen=True)
class _Loaded:
    epoch: int
    version: str
    predictor: Predictor
    trained: Mapping[str, int]


class PredictionServer:
    """Keeps one loaded champion per bee; thread-safe."""

    def __init__(
        self,
        ledger: Ledger,
        features: FeatureStore,
        artifacts: ArtifactStore,
        format_: ModelFormat,
        *,
        skew: Guard = Guard.AUTO,
    ) -> None:
        """Load nothing yet; `skew` says what becomes of reads for a model trained with other definitions."""
        self._guard = skew
        self._warned: dict[str, list[str]] = {}
        self._ledger = ledger
        self._features = features
        self.artifacts = artifacts
        self._format = format_
        self._loaded: dict[str, _Loaded] = {}
        self._lock = threading.Lock()

    def predict(
        self,
        bee: BeeSpec,
        now: datetime,
        *,
        entity_id: str | None = None,
        features: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return `{prediction, score, version, missing}`; exactly one of `entity_id` and `features` is given.

        `warnings` are told, too, if features that are read are defined otherwise than the model was trained with.

        Raises:
            NotFound: the bee has no model in production.
            Conflict: its features are defined otherwise, and the guard refuses that.
            Rejected: neither or both given, or an unknown feature.
        """
        if bee.task == "generation":
            mend = f"read its settings in production at GET models/{bee.bee}"
            raise Rejected(f"{bee.bee} generates text by settings; there is no model to predict with", mend=mend)
        if (entity_id is None) == (features is None):
            raise Rejected("give either an entity's id or its features", field="entityId", mend="not both, not none")
        champion = self._champion(bee.bee)
        told: dict[str, Any] = {}
        if features is not None:
            values = self._given(bee, features)
        else:
            told = self._guarded(bee, champion)
            values = self._read(bee, str(entity_id), now)
        scored = champion.predictor.predict({name: [values.get(name)] for name in bee.features})[0]
        missing = [name for name in bee.features if values.get(name) is None]
        return {
            "prediction": scored.prediction,
            "score": scored.score,
            "version": champion.version,
            "missing": missing,
            **told,
        }

    def _guarded(self, bee: BeeSpec, champion: _Loaded) -> dict[str, Any]:
        """Return what the skew guard has to say of an online read. Raises Conflict."""
        reads = (*bee.features, *bee.entities.values())
        model = f"version {champion.version} of {bee.bee}"
        warnings = check_skew(model, champion.trained, reads, self._features, self._guard)
        if warnings != self._warned.get(bee.bee, []):  # each answer says so, the log once
            log.warning("features are not as the model was trained with", model=model, skew=warnings)
        self._warned[bee.bee] = warnings
        return {"warnings": warnings} if warnings else {}

    def _champion(self, bee: str) -> _Loaded:
        with self._ledger.begin(write=False) as transaction:
            deployment = transaction.models.champion(bee)
            if deployment is None:
                raise NotFound(f"{bee} has no model in production", field="beeId")
            loaded = self._loaded.get(bee)
            if loaded and loaded.epoch == deployment.epoch:
                return loaded
            version = transaction.models.get(bee, deployment.version)
        if version is None:
            raise NotFound(f"version {deployment.version} of {bee} is not registered")
        with self._lock:
            loaded = self._loaded.get(bee)
            if loaded is None or loaded.epoch < deployment.epoch:
                path = self.artifacts.fetch(version.artifact)
                predictor = self._format.load(path, version.artifact.sha256)
                trained = trained_with(version.lineage, predictor.metadata)
                loaded = _Loaded(deployment.epoch, deployment.version, predictor, trained)
                self._loaded[bee] = loaded
            return loaded

    def _given(self, bee: BeeSpec, features: Mapping[str, Any]) -> Mapping[str, Any]:
        unknown = sorted(set(features) - set(bee.features))
        if unknown:
            mend = f"send only: {', '.join(bee.features)}"
            raise Rejected(f"{', '.join(unknown)}: not read by {bee.bee}", field="features", mend=mend)
        types = {item.name: item.type for item in self._features.definitions()}
        for name, value in features.items():
            _check_value(name, value, types.get(name))
        return features

    def _read(self, bee: BeeSpec, entity_id: str, now: datetime) -> Mapping[str, Any]:
        owners = {item.name: item.entity for item in self._features.definitions()}
        own = [name for name in bee.features if owners.get(name) == bee.entity]
        links = list(bee.entities.values())
        reader = Reader(f"model:{bee.bee}", "serving")
        readings = dict(self._features.read([entity_id], [*own, *links], now=now, reader=reader)[entity_id])
        for entity, link in bee.entities.items():
            other = readings[link]
            wanted = [name for name in bee.features if owners.get(name) == entity]
            if other.status is Status.PRESENT and wanted:
                key = str(other.value)
                readings |= self._features.read([key], wanted, now=now, reader=reader)[key]
        empty = Reading(Status.MISSING)
        return {name: readings.get(name, empty).value for name in bee.features}


_TYPES: Mapping[str, tuple[type, ...]] = {"number": (int, float), "string": (str,), "boolean": (bool,)}


def _check_value(name: str, value: Any, type_: str | None) -> None:
    if value is None:
        return
    wanted = _TYPES.get(type_ or "", (str, int, float, bool))
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        mend = f"send a {type_ or 'text, number or boolean'}, or null where it is missing"
        raise Rejected(f"{str(value)[:60]!r} is not a {type_ or 'single value'}", field=f"features.{name}", mend=mend)
    if isinstance(value, int | float) and not _finite(value):
        raise Rejected("is not finite", field=f"features.{name}", mend="send null where it is missing")


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False

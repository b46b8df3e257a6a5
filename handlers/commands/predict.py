"""Predict with what is live for a bee: features read online for an entity, or given; logged, and never waiting for it.

Each prediction looks at the newest deployment (one indexed read), so that every process serves a change at once. Which
version answers is sticky by entity (`worker.models.traffic`); who names no entity is answered by the champion. If a
version beside the champion cannot answer, the champion does.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from handlers.commands.skew_guard import check_skew, trained_with
from worker.bee import BeeSpec
from worker.errors import NotFound, Rejected
from worker.features.definition import check_entity_id
from worker.features.port import FeatureStore
from worker.features.skew import Guard
from worker.ledger import Ledger
from worker.models.port import ArtifactStore, ModelFormat, ModelVersion, Scored
from worker.serving.live import Live, LiveModels, Model
from worker.serving.log import PredictionLog
from worker.serving.losses import Losses
from worker.serving.port import Silent
from worker.serving.served import Answer, Served
from worker.serving.shadows import Entry
from worker.serving.values import Values

log = structlog.get_logger()


@dataclass(frozen=True)
class _Asked:
    """A request: for whom, the values of the features, and whether the caller gave these."""

    bee: BeeSpec
    entity_id: str | None
    values: Mapping[str, Any]
    given: bool


@dataclass(frozen=True)
class _Answered:
    """What a model said, with what there is to say of that."""

    model: Model
    scored: Scored
    warnings: Sequence[str]
    instead_of: str | None = None


class PredictionServer:
    """Answers with the versions that are live; safe to share between threads."""

    def __init__(
        self,
        ledger: Ledger,
        features: FeatureStore,
        artifacts: ArtifactStore,
        format_: ModelFormat,
        *,
        skew: Guard = Guard.AUTO,
        predictions: PredictionLog | None = None,
    ) -> None:
        """Load nothing yet.

        Args:
            ledger: says what is live.
            features: read online.
            artifacts: where model files are.
            format_: loads them.
            skew: what becomes of reads for a model trained with other definitions.
            predictions: where predictions are logged; None: nowhere.
        """
        self._guard = skew
        self._warned: dict[tuple[str, str], list[str]] = {}
        self._ledger = ledger
        self._features = features
        self._values = Values(features)
        self.artifacts = artifacts
        self._live = LiveModels(artifacts, format_, trained_with)
        self._predictions = predictions
        self._told = predictions.told if predictions else Silent()
        self._losses = Losses("the champion answers instead of a live version")

    def predict(
        self,
        bee: BeeSpec,
        now: datetime,
        *,
        entity_id: str | None = None,
        features: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return `{prediction, score, version, missing}` for an entity, for features, or for an entity's given ones.

        With features nothing is read: the entity then says which version answers, and whose prediction is logged.

        `warnings` are told, too, if features that are read are defined otherwise than the model was trained with, or
        if a version that is live could not answer.

        Raises:
            NotFound: the bee has no model in production.
            Conflict: its features are defined otherwise, and the guard refuses that.
            Rejected: neither an entity nor features, or an unknown feature.
        """
        began = time.perf_counter()
        if bee.task == "generation":
            mend = f"read its settings in production at GET models/{bee.bee}"
            raise Rejected(f"{bee.bee} generates text by settings; there is no model to predict with", mend=mend)
        if entity_id is None and features is None:
            raise Rejected("give an entity's id, or features", field="entityId", mend="name one of the two, or both")
        live = self._serving(bee.bee)
        asked = self._asked(bee, now, entity_id, features)
        answered = self._answered(live, asked)
        self._log(live, asked, answered, now, (time.perf_counter() - began) * 1e3)
        missing = [name for name in bee.features if asked.values.get(name) is None]
        return {
            "prediction": answered.scored.prediction,
            "score": answered.scored.score,
            "version": answered.model.version,
            "missing": missing,
            **({"warnings": list(answered.warnings)} if answered.warnings else {}),
        }

    def _serving(self, bee: str) -> Live:
        """Return what is live. Raises NotFound."""
        with self._ledger.begin(write=False) as transaction:
            deployment = transaction.models.champion(bee)
        if deployment is None:
            raise NotFound(f"{bee} has no model in production", field="beeId")
        return self._live.of(deployment, lambda names: self._versions(bee, names))

    def _versions(self, bee: str, names: Sequence[str]) -> Mapping[str, ModelVersion]:
        with self._ledger.begin(write=False) as transaction:
            found = {name: transaction.models.get(bee, name) for name in names}
        return {name: version for name, version in found.items() if version is not None}

    def _asked(self, bee: BeeSpec, now: datetime, entity_id: str | None, features: Mapping[str, Any] | None) -> _Asked:
        if features is None:
            return _Asked(bee, entity_id, self._values.read(bee, str(entity_id), now), given=False)
        if entity_id is not None:
            check_entity_id(entity_id)
        return _Asked(bee, entity_id, self._values.given(bee, features), given=True)

    def _answered(self, live: Live, asked: _Asked) -> _Answered:
        """Return the answer of the entity's version, or of the champion if that one has none."""
        model, instead_of = live.choose(asked.entity_id)
        bee, reason, why = asked.bee.bee, "notLoaded", live.lacking.get(instead_of or "", "")
        if model is not live.champion:
            try:
                return self._answer(model, asked)
            except Exception as error:  # noqa: BLE001 - a version on trial never takes an answer away
                instead_of, reason, why = model.version, "failed", f"{type(error).__name__}: {error}"[:500]
        answered = self._answer(live.champion, asked)
        words = [*answered.warnings]
        if instead_of is not None:
            self._told.stood_in(bee, instead_of, reason)
            self._losses.add(1, why, bee=bee, version=instead_of, reason=reason)
            words.append(f"version {instead_of} could not answer; the champion, {live.champion.version}, did")
        if live.stale is not None:
            self._told.stood_in(bee, live.stale, "notLoaded")
            words.append(f"version {live.stale} is in production and could not be loaded; what was before it answers")
        return _Answered(answered.model, answered.scored, words, instead_of)

    def _answer(self, model: Model, asked: _Asked) -> _Answered:
        """Ask one model. Raises Conflict: its features are defined otherwise; Rejected: it cannot score them."""
        warnings = [] if asked.given else self._guarded(asked.bee, model)
        columns = {name: [asked.values.get(name)] for name in asked.bee.features}
        return _Answered(model, model.predictor.predict(columns)[0], warnings)

    def _guarded(self, bee: BeeSpec, model: Model) -> list[str]:
        """Return what the skew guard has to say of an online read. Raises Conflict."""
        reads = (*bee.features, *bee.entities.values())
        name = f"version {model.version} of {bee.bee}"
        now = self._values.definitions()
        warnings = check_skew(name, model.trained, reads, now, self._features.versions, self._guard)
        key = bee.bee, model.version
        if warnings != self._warned.get(key, []):  # each answer says so, the log once
            log.warning("features are not as the model was trained with", model=name, skew=warnings)
        self._warned[key] = warnings
        return warnings

    def _log(self, live: Live, asked: _Asked, answered: _Answered, now: datetime, took_ms: float) -> None:
        """Hand the prediction over to the log, if there is one and it is among those that are logged."""
        predictions, entity = self._predictions, asked.entity_id
        if predictions is None or not predictions.on:
            return
        if entity is None:
            # Nothing is wrong with that: it is counted, and nobody is warned.
            self._told.unlogged(asked.bee.bee, "noEntity", 1)
            return
        if not predictions.wants(entity, now):
            return
        values = {name: asked.values.get(name) for name in asked.bee.features}
        served = Served(
            answered.model.version,
            {answered.model.version: Answer(answered.scored.prediction, answered.scored.score)},
            values,
            asked.given,
            answered.instead_of,
            round(took_ms, 3),
        )
        predictions.add(Entry(asked.bee, entity, now, served, values, live.shadows))

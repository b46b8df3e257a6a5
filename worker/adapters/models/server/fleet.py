"""The models of one server: its own, and beside it whatever it was told is live; replaced as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.models.instances import MAX_INSTANCES, shared_out
from worker.models.live import Live
from worker.models.port import Predictor


@dataclass(frozen=True)
class Fleet:
    """What serves.

    Attributes:
        own: the version that the server was deployed with; its name is empty where nobody told it.
        live: what it was told; None: its own version serves everybody.
        models: version -> model, as far as they could be loaded; that of the champion is among them.
    """

    own: tuple[str, Predictor]
    live: Live | None = None
    models: Mapping[str, Predictor] = field(default_factory=dict)

    def predict(self, body: Any, limit: int = MAX_INSTANCES) -> dict[str, Any]:
        """Return `{"predictions": [{prediction, score, version?}]}`, in the order of the instances. Raises Rejected."""
        models = self.models if self.live else {self.own[0]: self.own[1]}
        kinds = {version: model.metadata["kinds"] for version, model in models.items()}
        answers: dict[int, dict[str, Any]] = {}
        for version, share in shared_out(body, kinds, self.version_for, limit).items():
            named = {"version": version} if version else {}
            scored = models[version].predict(share.columns)
            for position, one in zip(share.positions, scored, strict=True):
                answers[position] = {"prediction": one.prediction, "score": one.score, **named}
        return {"predictions": [answers[position] for position in range(len(answers))]}

    def version_for(self, entity: str | None) -> str:
        """Return the version that serves an entity; the champion where none is named, or its version is not here."""
        if self.live is None:
            return self.own[0]
        version = self.live.champion if entity is None else self.live.traffic.version_for(entity)
        return version if version in self.models else self.live.champion

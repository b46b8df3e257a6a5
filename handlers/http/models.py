"""`models`: what is in production, every version, and predictions."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from handlers.http.problems import RESPONSES
from handlers.http.services import Services
from worker.bee import BEE_ID, BeeSpec
from worker.clock import to_text
from worker.errors import NotFound
from worker.models.shown import shown_version

BeeName = Annotated[str, Path(pattern=f"^{BEE_ID.pattern}$")]


class PredictRequest(BaseModel):
    """Either an entity whose features are read online, or the features themselves."""

    model_config = ConfigDict(extra="forbid")

    entityId: Annotated[str, Field(min_length=1, max_length=1024)] | None = None  # noqa: N815 - the API is camelCase
    features: Annotated[dict[str, str | float | bool | None], Field(max_length=1000)] | None = None


class Prediction(BaseModel):
    """A prediction of the champion."""

    prediction: str | float | bool | None
    score: float | None
    version: str
    missing: list[str]


def routes(services: Services) -> APIRouter:
    """Return the routes of models."""
    router = APIRouter(responses=RESPONSES)

    @router.get("/models")
    def versions() -> dict[str, list[dict[str, Any]]]:
        """List every version of every bee."""
        with services.ledger.begin(write=False) as transaction:
            champions = {item.bee: item.version for item in transaction.models.deployments()}
            found = transaction.models.versions()
        return {"models": [shown_version(item, champions.get(item.bee)) for item in found]}

    @router.get("/models/{beeId}")
    def model(beeId: BeeName) -> dict[str, Any]:  # noqa: N803 - the API is camelCase
        """Tell what is in production for a bee, the traffic split, and every version."""
        _bee(services, beeId)
        with services.ledger.begin(write=False) as transaction:
            champion = transaction.models.champion(beeId)
            found = transaction.models.versions(beeId)
        version = champion.version if champion else None
        return {
            "beeId": beeId,
            "version": version,
            "epoch": champion.epoch if champion else 0,
            "deployedAt": to_text(champion.at) if champion else None,
            "trafficSplit": {version: 100} if version else {},
            "versions": [shown_version(item, version) for item in found],
        }

    @router.post("/models/{beeId}/predict")
    def predict(beeId: BeeName, request: PredictRequest) -> Prediction:  # noqa: N803 - the API is camelCase
        """Predict with the bee's model in production."""
        bee = _bee(services, beeId)
        answer = services.predictions.predict(
            bee, services.clock(), entity_id=request.entityId, features=request.features
        )
        services.instruments.predicted(bee.bee, answer["version"])
        return Prediction(**answer)

    return router


def _bee(services: Services, name: str) -> BeeSpec:
    if name not in services.bees():
        raise NotFound(f"there is no bee {name!r}")
    return services.bees()[name]

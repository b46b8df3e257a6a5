"""`models`: what is in production and on its way there, every version, promotion and rollback by hand, predictions."""
# ruff: noqa: N803 - the API is camelCase

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from handlers.commands.promote_model import promote_model
from handlers.commands.rollback_model import rollback_model
from handlers.http.operating import operator
from handlers.http.problems import RESPONSES
from handlers.http.rollout_shapes import ChangeShown, HistoryShown, RolloutShown
from handlers.http.scopes import needs
from handlers.http.services import Services
from handlers.http.shapes import (
    BeeId,
    DeploymentShown,
    ModelShown,
    Prediction,
    PredictRequest,
    PromoteRequest,
    RollbackRequest,
    ShareShown,
    VersionList,
    VersionShown,
)
from worker.access.token import Scope
from worker.bee import BEE_ID, BeeSpec
from worker.clock import to_text
from worker.errors import NotFound
from worker.models.port import Deployment
from worker.models.shown import settings_in_force, shown_version
from worker.rollout.shown import newest_rollout, shown_change, shown_rollout
from worker.runs.trial import rollout_of

BeeName = Annotated[str, Path(pattern=f"^{BEE_ID.pattern}$", description="The bee's name.", examples=["spam-guard"])]


def routes(services: Services) -> APIRouter:
    """Return the routes of models."""
    router = APIRouter(responses=RESPONSES)

    @router.get("/models", **needs(Scope.READ))
    def list_models(beeId: Annotated[BeeId | None, Query(description="Only this bee's.")] = None) -> VersionList:
        """List every version, oldest first."""
        with services.ledger.begin(write=False) as transaction:
            champions = {item.bee: item.version for item in transaction.models.deployments(beeId)}
            found = transaction.models.versions(beeId)
        return VersionList(models=[VersionShown(**shown_version(item, champions.get(item.bee))) for item in found])

    @router.get("/models/{beeId}", **needs(Scope.READ))
    def get_model(beeId: BeeName) -> ModelShown:
        """Tell what is in production for a bee (for one that generates text its settings), and every version."""
        return _model(services, _bee(services, beeId))

    @router.post("/models/{beeId}/predict", **needs(Scope.WRITE))
    def predict(beeId: BeeName, request: PredictRequest) -> Prediction:
        """Predict with the bee's model in production."""
        bee = _bee(services, beeId)
        answer = services.predictions.predict(
            bee, services.clock(), entity_id=request.entityId, features=request.features
        )
        services.instruments.predicted(bee.bee, answer["version"])
        return Prediction(**answer)

    @router.post("/models/{beeId}/promote", **needs(Scope.OPERATE))
    def promote(request: Request, beeId: BeeName, asked: PromoteRequest) -> DeploymentShown:
        """Put a registered version into production, in the steps of the bee's plan, or at once where it has none.

        Without a passed gate only by force, which stays recorded.
        """
        _bee(services, beeId)
        who, files = operator(services, request), services.predictions.artifacts
        done = promote_model(
            who, beeId, asked.version, files, reason=asked.reason, force=asked.force, immediate=asked.immediate
        )
        return _deployment(done)

    @router.post("/models/{beeId}/rollback", **needs(Scope.OPERATE))
    def rollback(request: Request, beeId: BeeName, asked: RollbackRequest) -> DeploymentShown:
        """Go back: from a rollout to the champion, else to what was in production before, or a named one that was."""
        _bee(services, beeId)
        who, files = operator(services, request), services.predictions.artifacts
        return _deployment(rollback_model(who, beeId, files, reason=asked.reason, to_version=asked.version))

    @router.get("/models/{beeId}/rollout", **needs(Scope.READ))
    def get_rollout(beeId: BeeName) -> RolloutShown:
        """Tell the bee's rollout: the one under way, else the newest; what it goes by, and what it lacks."""
        _bee(services, beeId)
        with services.ledger.begin(write=False) as transaction:
            found = newest_rollout(transaction.trials.list(beeId))
        if found is None:
            raise NotFound(f"no version of {beeId} was ever rolled out", field="beeId")
        return RolloutShown(**shown_rollout(found))

    @router.get("/models/{beeId}/history", **needs(Scope.READ))
    def get_history(beeId: BeeName) -> HistoryShown:
        """List every change of what the bee is served by, oldest first."""
        _bee(services, beeId)
        with services.ledger.begin(write=False) as transaction:
            found = transaction.models.deployments(beeId)
        return HistoryShown(changes=[ChangeShown(**shown_change(change)) for change in found])

    return router


def _model(services: Services, bee: BeeSpec) -> ModelShown:
    with services.ledger.begin(write=False) as transaction:
        champion = transaction.models.champion(bee.bee)
        found = transaction.models.versions(bee.bee)
        rollout = rollout_of(transaction, bee.bee)
    traffic = champion.traffic if champion else None
    version = champion.version if champion else None
    return ModelShown(
        beeId=bee.bee,
        version=version,
        epoch=champion.epoch if champion else 0,
        deployedAt=to_text(champion.at) if champion else None,
        trafficSplit=dict(traffic.shares) if traffic else {},
        split=[ShareShown(**share) for share in traffic.ordered] if traffic else [],
        salt=(traffic.salt or None) if traffic else None,
        shadow=list(traffic.shadow) if traffic else [],
        rollout=RolloutShown(**shown_rollout(rollout)) if rollout else None,
        settings=settings_in_force(bee, next((item for item in found if item.version == version), None)),
        versions=[VersionShown(**shown_version(item, version)) for item in found],
    )


def _bee(services: Services, name: str) -> BeeSpec:
    if name not in services.bees():
        known = ", ".join(sorted(services.bees())) or "none"
        raise NotFound(f"there is no bee {name!r}; there are: {known}", field="beeId")
    return services.bees()[name]


def _deployment(done: Deployment) -> DeploymentShown:
    return DeploymentShown(
        beeId=done.bee,
        epoch=done.epoch,
        version=done.version,
        previous=done.previous,
        deployedAt=to_text(done.at),
        reason=done.reason,
        trafficSplit=dict(done.traffic.shares),
    )

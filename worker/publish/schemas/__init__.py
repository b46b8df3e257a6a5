"""The published contract: event type → the data that it carries. Adding an event is a type here, and its line."""

from worker.publish.schemas.ab_tests import AbTestConcluded, AbTestStarted, AbTestStopped
from worker.publish.schemas.base import Data
from worker.publish.schemas.evaluation import ModelEvaluated
from worker.publish.schemas.features import FeatureAccessed, FeatureDefined, FeatureDrifted, FeatureFound, FeatureStale
from worker.publish.schemas.guards import BreakerOpened, BudgetExceeded
from worker.publish.schemas.incidents import EvaluationMissing, IncidentClosed, IncidentEscalated, IncidentOpened
from worker.publish.schemas.models import ModelDeployed, ModelRegistered, ModelRejected, ModelRolledBack
from worker.publish.schemas.people import ApprovalRequested, ColonyPaused, ColonyResumed
from worker.publish.schemas.rollouts import RolloutAdvanced, RolloutHeld, RolloutStarted
from worker.publish.schemas.runs import RunEnded, RunRequested, RunStarted

OUTGOING: dict[str, type[Data]] = {
    "ab_test.concluded": AbTestConcluded,
    "ab_test.started": AbTestStarted,
    "ab_test.stopped": AbTestStopped,
    "approval.requested": ApprovalRequested,
    "breaker.opened": BreakerOpened,
    "budget.exceeded": BudgetExceeded,
    "colony.paused": ColonyPaused,
    "colony.resumed": ColonyResumed,
    "evaluation.missing": EvaluationMissing,
    "feature.accessed": FeatureAccessed,
    "feature.defined": FeatureDefined,
    "feature.drifted": FeatureDrifted,
    "feature.stale": FeatureStale,
    "incident.closed": IncidentClosed,
    "incident.escalated": IncidentEscalated,
    "incident.opened": IncidentOpened,
    "model.deployed": ModelDeployed,
    "model.registered": ModelRegistered,
    "model.rejected": ModelRejected,
    "model.rolled_back": ModelRolledBack,
    "model.rollout.advanced": RolloutAdvanced,
    "model.rollout.held": RolloutHeld,
    "model.rollout.started": RolloutStarted,
    "pipeline.run.cancelled": RunEnded,
    "pipeline.run.failed": RunEnded,
    "pipeline.run.requested": RunRequested,
    "pipeline.run.started": RunStarted,
    "pipeline.run.succeeded": RunEnded,
}

INCOMING: dict[str, type[Data]] = {"feature.found": FeatureFound, "model.evaluated": ModelEvaluated}

"""`feature.found`: something is wrong with a feature that a bee reads; the policy says whether that is a reason."""

from collections.abc import Callable
from datetime import datetime

from handlers.events.model_evaluated import ModelEvaluated
from worker.decide.evaluation import Evaluation
from worker.decide.finding import FoundFeature, conclude, parse_found
from worker.errors import Rejected
from worker.intake.envelope import Event
from worker.ledger import Transaction
from worker.models.port import Deployment


class FeatureFound(ModelEvaluated):
    """Handles one finding: decided, journaled and followed as an evaluation is."""

    conclude = staticmethod(conclude)

    def parse(self, event: Event, now: datetime) -> FoundFeature:
        """Return what was found. Raises Rejected, also for a bee that is not configured."""
        found = parse_found(event.data, event_time=event.time or now)
        if found.bee not in self._context.bees():
            mend = f"add config/bees/{found.bee}.yaml, or correct the name"
            raise Rejected(f"there is no bee {found.bee!r}", field="data.beeId", mend=mend)
        return found

    @staticmethod
    def tried(
        evaluation: Evaluation,  # noqa: ARG004 - as for evaluations
        champion: Deployment | None,
        transaction: Transaction,  # noqa: ARG004 - as for evaluations
    ) -> tuple[str, Callable[[], None]]:
        """Say that something is tried, if so: a finding is no evidence of any version, and begins nothing meanwhile."""
        divided = champion is not None and champion.divided is not None
        return "a rollout or a test is under way" if divided else "", lambda: None

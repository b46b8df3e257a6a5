"""`model.evaluated`: decide, journal, open or continue the incident, and ask for a run."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from handlers.events.context import EventContext
from worker.decide.decision import Action, History, decide
from worker.decide.evaluation import Evaluation, parse_evaluation
from worker.decide.journal import printed, recorded
from worker.decide.quick import quick_evaluation
from worker.errors import Rejected
from worker.frozen import made
from worker.incidents.machine import incident_id
from worker.intake.envelope import Event
from worker.intake.quick import QuickEvent
from worker.ledger import Transaction
from worker.models.port import Deployment
from worker.runs.follow import Around, follow, look
from worker.runs.heard import tried


class ModelEvaluated:
    """Handles one evaluation of a bee's model."""

    #: What an event means, and what it adds to what is tried on live traffic.
    conclude = staticmethod(decide)
    tried = staticmethod(tried)

    def __init__(self, context: EventContext) -> None:
        """Keep the configuration's readers."""
        self._context = context

    def parse(self, event: Event, now: datetime) -> Evaluation:
        """Return the evaluation. Raises Rejected, also for a bee that is not configured."""
        if isinstance(event, QuickEvent):
            # What is unusual about it raises, and comes again as an event that was read the exact way.
            return quick_evaluation(event.text, event.read, self._context.bees(), event_time=event.time or now)
        evaluation = parse_evaluation(event.data, event_time=event.time or now)
        if evaluation.bee not in self._context.bees():
            raise Rejected(
                f"there is no bee {evaluation.bee!r}",
                field="data.beeId",
                mend=f"add config/bees/{evaluation.bee}.yaml, or correct the name",
            )
        return evaluation

    def bee(self, parsed: Evaluation) -> str:
        """Return the evaluated bee."""
        return parsed.bee

    def repeated(self, event: Event, parsed: Evaluation, transaction: Transaction) -> Mapping[str, Any]:
        """Say that the event was decided before, and how."""
        first = transaction.decisions.get(event.source, event.id)
        said = printed(first) if first else {"eventId": event.id, "beeId": parsed.bee}
        reason = f"delivered before; then: {said.get('reason', 'unknown')}"
        return {**said, "action": Action.DUPLICATE.value, "reason": reason}

    def apply(self, event: Event, parsed: Evaluation, transaction: Transaction, now: datetime) -> Mapping[str, Any]:
        """Decide and record, all in the given transaction."""
        bee, policy = self._context.bees()[parsed.bee], self._context.policy()
        champion = transaction.models.champion(parsed.bee)
        said, keep = self.tried(parsed, champion, transaction)
        history = _history(parsed, champion, said, transaction)
        key = incident_id(parsed.bee, event.source, event.id)
        before, situation = look(bee, policy, transaction, now, whole=False)
        found = self.conclude(parsed, history, before, situation, key)
        if found.effects or found.decision.action in {Action.TRIGGER, Action.HELD}:
            # Whether a run may begin depends on the whole colony, whose lock only those take who ask for one.
            around = Around(self._context.bees(), self._context.new_labels, self._context.typical)
            before, situation = look(bee, policy, transaction, now, whole=True, around=around)
            found = self.conclude(parsed, history, before, situation, key)
        run = follow(before, found.course, found.effects, situation, transaction)
        decision, incident = found.decision, found.course.incident
        if decision.moves_watermark:
            transaction.decisions.move_watermark(parsed.bee, parsed.version, parsed.evaluated_at)
            keep()
        entry = recorded(
            event.source,
            event.id,
            parsed,
            decision,
            policy.version,
            now,
            run_id=run.id if run else None,
            incident_id=incident.id if incident else None,
        )
        transaction.decisions.add(entry)
        return printed(entry)


def _history(parsed: Evaluation, champion: Deployment | None, tried: str, transaction: Transaction) -> History:
    version = transaction.models.get(parsed.bee, parsed.version)
    recorded_metrics = version.metrics if version else {}
    fields = {
        "known": version is not None,
        "champion": champion.version if champion else None,
        "previous": champion.previous if champion else None,
        "recorded": {name: None if value is None else Decimal(str(value)) for name, value in recorded_metrics.items()},
        "watermark": transaction.decisions.watermark(parsed.bee, parsed.version),
        "tried": tried,
    }
    return made(History, fields)

"""`model.evaluated`: decide, journal, open or continue the incident, and ask for a run."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from handlers.events.context import EventContext
from worker.bee import BeeSpec
from worker.decide.decision import Action, Decision, History, decide
from worker.decide.evaluation import Evaluation, parse_evaluation
from worker.decide.journal import printed, recorded
from worker.errors import Rejected
from worker.incidents import machine
from worker.incidents.machine import Incident, State
from worker.intake.envelope import Event
from worker.ledger import Transaction
from worker.runs.lifecycle import Run, run_id
from worker.runs.request import request_run


class ModelEvaluated:
    """Handles one evaluation of a bee's model."""

    def __init__(self, context: EventContext) -> None:
        """Keep the configuration's readers."""
        self._context = context

    def parse(self, event: Event, now: datetime) -> Evaluation:
        """Return the evaluation. Raises Rejected, also for a bee that is not configured."""
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
        incident = transaction.incidents.open_for(parsed.bee)
        decision = decide(parsed, _history(parsed, transaction, incident), bee, policy, now)
        run = None
        if decision.action is Action.TRIGGER:
            incident, run = self._trigger(event, parsed, bee, decision, transaction, now)
        elif decision.action is Action.ATTACHED and incident:
            transaction.incidents.save(machine.attached(incident, decision.reason, now))
        elif decision.moves_watermark and decision.good and incident:
            _recover(incident, decision.reason, transaction, now)
        if decision.moves_watermark:
            transaction.decisions.move_watermark(parsed.bee, parsed.version, parsed.evaluated_at)
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

    def _trigger(
        self,
        event: Event,
        parsed: Evaluation,
        bee: BeeSpec,
        decision: Decision,
        transaction: Transaction,
        now: datetime,
    ) -> tuple[Incident, Run]:
        current = transaction.incidents.open_for(parsed.bee)
        if current is None:
            id_ = machine.incident_id(parsed.bee, event.source, event.id)
            incident = machine.opened(id_, parsed.bee, parsed.version, decision.reason, now)
            opened = {"incidentId": id_, "beeId": parsed.bee, "modelVersion": parsed.version, "reason": decision.reason}
            transaction.outbox.add(parsed.bee, "incident.opened", id_, 1, now, opened)
        else:
            incident = machine.reopened(current, parsed.version, decision.reason, now)
        transaction.incidents.save(incident)
        run = Run(
            id=run_id(bee.pipeline, bee.bee, self._context.installation, incident.id, str(incident.attempt)),
            template=bee.pipeline,
            bee=bee.bee,
            trigger="drift",
            reason=decision.reason,
            as_of=parsed.evaluated_at,
            created_at=now,
            incident_id=incident.id,
            attempt=incident.attempt,
            parameters={"beeId": bee.bee},
        )
        request_run(run, transaction, now)
        return incident, run


def _history(parsed: Evaluation, transaction: Transaction, incident: Incident | None) -> History:
    version = transaction.models.get(parsed.bee, parsed.version)
    champion = transaction.models.champion(parsed.bee)
    active = transaction.runs.in_flight(parsed.bee)
    recorded_metrics = version.metrics if version else {}
    return History(
        known=version is not None,
        champion=champion.version if champion else None,
        recorded={name: None if value is None else Decimal(str(value)) for name, value in recorded_metrics.items()},
        watermark=transaction.decisions.watermark(parsed.bee, parsed.version),
        incident=incident.id if incident and incident.working else None,
        active_run=active.id if active else None,
    )


def _recover(incident: Incident, reason: str, transaction: Transaction, now: datetime) -> None:
    changed = machine.recovered(incident, reason, now)
    transaction.incidents.save(changed)
    if changed.state is State.CLOSED:
        data = {"incidentId": incident.id, "beeId": incident.bee, "attempts": incident.attempt, "reason": reason}
        transaction.outbox.add(incident.bee, "incident.closed", incident.id, incident.attempt, now, data)

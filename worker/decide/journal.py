"""A decision as the journal keeps it and as `colony decisions --json` prints it."""

from datetime import datetime
from typing import Any

from worker.clock import to_text
from worker.decide.decision import Decision
from worker.decide.evaluation import Evaluation
from worker.decide.port import Recorded
from worker.decide.quick import QuickEvaluation
from worker.decide.rules import FIRED, RuleResult, Told, plain


def recorded(  # noqa: PLR0913 - an entry has these parts
    source: str,
    event_id: str,
    evaluation: Evaluation,
    decision: Decision,
    policy_version: str,
    now: datetime,
    *,
    run_id: str | None,
    incident_id: str | None,
) -> Recorded:
    """Return the journal's entry for a decision."""
    return Recorded(
        source=source,
        event_id=event_id,
        bee=evaluation.bee,
        model_version=evaluation.version,
        evaluated_at=evaluation.evaluated_at,
        decided_at=now,
        action=decision.action.value,
        reason=decision.reason,
        rules=[_rule(rule) for rule in decision.rules],
        run_id=run_id,
        incident_id=incident_id,
        policy_version=policy_version,
        evaluation=evaluation.plain() if isinstance(evaluation, QuickEvaluation) else plain(evaluation.data),
    )


def printed(entry: Recorded) -> dict[str, Any]:
    """Return the entry as one JSON object in the published form."""
    return {
        "eventId": entry.event_id,
        "source": entry.source,
        "beeId": entry.bee,
        "modelVersion": entry.model_version,
        "evaluatedAt": to_text(entry.evaluated_at),
        "decidedAt": to_text(entry.decided_at),
        "action": entry.action,
        "rules": list(entry.rules),
        "reason": entry.reason,
        "runId": entry.run_id,
        "incidentId": entry.incident_id,
        "policyVersion": entry.policy_version,
    }


def _rule(rule: RuleResult) -> dict[str, Any]:
    outcome = rule.outcome
    inputs, why = rule.parts if isinstance(rule, Told) else (plain(rule.inputs), rule.why)
    return {"name": rule.name, "inputs": inputs, "fired": outcome is FIRED, "outcome": outcome.value, "why": why}

"""A decision as the journal keeps it and as `colony decisions --json` prints it."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from worker.clock import to_text
from worker.decide.decision import Decision
from worker.decide.evaluation import Evaluation
from worker.decide.port import Recorded
from worker.decide.quick import QuickEvaluation
from worker.decide.rules import Outcome, RuleResult

_AS_THEY_ARE = frozenset({str, float, int, bool})


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
        evaluation=evaluation.plain() if isinstance(evaluation, QuickEvaluation) else _plain(evaluation.data),
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
    return {
        "name": rule.name,
        "inputs": _inputs(rule.inputs),
        "fired": rule.outcome is Outcome.FIRED,
        "outcome": rule.outcome.value,
        "why": rule.why,
    }


def _inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    plain = dict(inputs)
    for name, value in inputs.items():
        if value is not None and value.__class__ not in _AS_THEY_ARE:
            plain[name] = _plain(value)
    return plain


def _plain(value: Any) -> Any:
    if value is None or value.__class__ in _AS_THEY_ARE:
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value

"""Ask people, with the evidence that they need: whether a run may begin, whether a version may go into production."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from worker.clock import to_text
from worker.decide.course import AskPerson
from worker.incidents.approval import Answer, Kind, Question, answered, question_id
from worker.incidents.machine import Incident
from worker.ledger import Transaction
from worker.models.port import ModelVersion
from worker.runs.lifecycle import Run


def ask_run(effect: AskPerson, incident: Incident, transaction: Transaction, now: datetime) -> None:
    """Ask whether an incident's next attempt may begin."""
    checks = incident.story[-1].get("checks", []) if incident.story else []
    newest = incident.newest
    evidence = {
        "reason": effect.reason,
        "modelVersion": incident.version,
        "evaluatedAt": to_text(newest.evaluated_at) if newest else None,
        "value": float(newest.value) if newest and newest.value is not None else None,
        "estimatedCost": None if effect.estimate is None else float(effect.estimate),
        "estimatedBy": effect.estimated,
        "checks": [dict(check) for check in checks],
    }
    question = Question(
        id=question_id(Kind.RUN, incident.id, str(effect.attempt)),
        kind=Kind.RUN,
        bee=incident.bee,
        attempt=effect.attempt,
        asked_at=now,
        expires_at=effect.expires,
        on_expiry=effect.on_expiry,
        incident_id=incident.id,
        evidence=evidence,
    )
    ask(question, transaction, now)


def deployment_question(
    run: Run, version: ModelVersion, against: int | None, expires: datetime, on_expiry: str, now: datetime
) -> Question:
    """Return the question whether what a run made may go into production."""
    outcome = run.outcome or {}
    evidence = {
        "reason": run.reason,
        "version": version.version,
        "champion": (run.frozen or {}).get("champion") and (run.frozen or {})["champion"].get("version"),
        "metrics": dict(version.metrics),
        "gate": outcome.get("gate"),
        "cost": run.cost,
        "estimatedCost": run.estimate,
        "estimatedBy": run.estimate_basis,
    }
    return Question(
        id=question_id(Kind.DEPLOYMENT, run.id),
        kind=Kind.DEPLOYMENT,
        bee=run.bee,
        attempt=run.attempt,
        asked_at=now,
        expires_at=expires,
        on_expiry=on_expiry,
        incident_id=run.incident_id,
        run_id=run.id,
        version=version.version,
        against=against,
        evidence=evidence,
    )


def ask(question: Question, transaction: Transaction, now: datetime) -> None:
    """Keep a question, and tell that it waits, with its evidence and where to answer it."""
    transaction.approvals.add(question)
    api = f"/api/mlops/approvals/{question.id}"
    data: Mapping[str, Any] = {
        "approvalId": question.id,
        "beeId": question.bee,
        "kind": question.kind.value,
        "incidentId": question.incident_id,
        "runId": question.run_id,
        "version": question.version,
        "attempt": question.attempt,
        "reason": question.evidence.get("reason", ""),
        "estimatedCost": question.evidence.get("estimatedCost"),
        "evidence": dict(question.evidence),
        "expiresAt": to_text(question.expires_at),
        "onExpiry": question.on_expiry,
        "links": {"self": api, "approve": f"{api}/approve", "refuse": f"{api}/refuse"},
    }
    transaction.outbox.add(question.bee, "approval.requested", question.id, question.attempt, now, data)


def withdraw(incident: Incident, transaction: Transaction, now: datetime) -> None:
    """Close the questions about an incident that nobody has answered, and that are idle by now."""
    for question in transaction.approvals.of_incident(incident.id):
        if question.answer is Answer.WAITING:
            over = now >= question.expires_at
            answer, why = (Answer.EXPIRED, "nobody answered in time") if over else (Answer.WITHDRAWN, "no longer asked")
            transaction.approvals.save(answered(question, answer, "", why, now))

"""A question to a person as it is shown."""

from typing import Any

from worker.clock import to_text
from worker.incidents.approval import Question


def shown_question(question: Question) -> dict[str, Any]:
    """Return a question with its evidence and its answer as one JSON object in the published form."""
    return {
        "approvalId": question.id,
        "kind": question.kind.value,
        "beeId": question.bee,
        "incidentId": question.incident_id,
        "runId": question.run_id,
        "attempt": question.attempt,
        "version": question.version,
        "askedAt": to_text(question.asked_at),
        "expiresAt": to_text(question.expires_at),
        "onExpiry": question.on_expiry,
        "evidence": dict(question.evidence),
        "answer": question.answer.value,
        "by": question.by or None,
        "answeredAt": to_text(question.ruled_at) if question.ruled_at else None,
        "reason": question.reason or None,
    }

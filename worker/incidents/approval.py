"""A question to a person: may this run begin, may this version go into production; asked once, answered once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from worker.errors import Conflict


class Kind(StrEnum):
    """What is asked for."""

    RUN = "run"
    DEPLOYMENT = "deployment"


class Answer(StrEnum):
    """Where a question stands; `withdrawn` is one that has become idle before anybody answered it."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        attempt: of the incident, that is to begin or has led to the version; 1 for a run without an incident.
        on_expiry: what silence means, `refuse` or `approve`, as the policy said when it was asked.
        version, against: of a deployment: what would go into production, and the epoch of the champion that it was
            judged against (None: there was none).
        evidence: what a person needs in order to answer.
        by, ruled_at, reason: who answered, when and why; empty while it waits.
    """

    id: str
    kind: Kind
    bee: str
    attempt: int
    asked_at: datetime
    expires_at: datetime
    on_expiry: str
    incident_id: str | None = None
    run_id: str | None = None
    version: str | None = None
    against: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    answer: Answer = Answer.WAITING
    by: str = ""
    ruled_at: datetime | None = None
    reason: str = ""


def question_id(kind: Kind, *key: str) -> str:
    """Return the id of a question: that of an incident's attempt, or of a run's deployment."""
    return hashlib.sha256("\n".join((kind, *key)).encode()).hexdigest()[:20]


def answered(question: Question, answer: Answer, by: str, reason: str, now: datetime) -> Question:
    """Return the question with its answer. Raises Conflict if it has one."""
    if question.answer is not Answer.WAITING:
        who = f" by {question.by}" if question.by else ""
        raise Conflict(f"{question.kind} {question.id} is {question.answer}{who}, it cannot be {answer} as well")
    return replace(question, answer=answer, by=by, reason=reason, ruled_at=now)

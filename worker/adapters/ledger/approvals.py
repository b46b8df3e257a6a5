"""`approvals`: what people were asked, and what they answered."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.adapters.ledger.database import Database, dumps
from worker.adapters.ledger.tables import approvals
from worker.clock import from_us, to_us
from worker.incidents.approval import Answer, Kind, Question


class SqlApprovals:
    """Questions inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._database = database
        self._connection = connection

    def add(self, question: Question) -> None:
        """Keep a question; one with that id that is there already stays as it is."""
        insert = self._database.insert(approvals).values(**_row(question))
        self._connection.execute(insert.on_conflict_do_nothing(index_elements=["id"]))

    def get(self, question_id: str) -> Question | None:
        """Return one question."""
        return next(iter(self._found(sa.select(approvals).where(approvals.c.id == question_id))), None)

    def list(self, *, bee: str | None = None, answer: Answer | None = None) -> Sequence[Question]:
        """Return questions, the newest first."""
        return self._found(_wanted(bee, answer))

    def page(
        self, *, bee: str | None, answer: Answer | None, before: tuple[datetime, str] | None, limit: int
    ) -> Sequence[Question]:
        """Return up to `limit` questions, newest first by (asked_at, id), all of them older than `before`."""
        query = _wanted(bee, answer).limit(limit)
        if before is not None:
            query = query.where(
                sa.tuple_(approvals.c.asked_at, approvals.c.id) < sa.tuple_(to_us(before[0]), before[1])
            )
        return self._found(query)

    def of_incident(self, incident_id: str) -> Sequence[Question]:
        """Return what was asked about an incident, oldest first."""
        query = sa.select(approvals).where(approvals.c.incident_id == incident_id)
        return self._found(query.order_by(approvals.c.asked_at, approvals.c.id))

    def of_run(self, run_id: str) -> Question | None:
        """Return the question about the deployment of what a run made."""
        return next(iter(self._found(sa.select(approvals).where(approvals.c.run_id == run_id))), None)

    def save(self, question: Question) -> None:
        """Replace a question."""
        self._connection.execute(approvals.update().where(approvals.c.id == question.id).values(**_row(question)))

    def _found(self, query: sa.Select[Any]) -> Sequence[Question]:
        return [_question(row) for row in self._connection.execute(query)]


def _wanted(bee: str | None, answer: Answer | None) -> sa.Select[Any]:
    query = sa.select(approvals).order_by(approvals.c.asked_at.desc(), approvals.c.id.desc())
    if bee is not None:
        query = query.where(approvals.c.bee == bee)
    return query if answer is None else query.where(approvals.c.answer == answer.value)


def _row(question: Question) -> dict[str, Any]:
    return {
        "id": question.id,
        "kind": question.kind.value,
        "bee": question.bee,
        "attempt": question.attempt,
        "asked_at": to_us(question.asked_at),
        "expires_at": to_us(question.expires_at),
        "on_expiry": question.on_expiry,
        "incident_id": question.incident_id,
        "run_id": question.run_id,
        "version": question.version,
        "against": question.against,
        "evidence": dumps(dict(question.evidence)),
        "answer": question.answer.value,
        "ruled_by": question.by,
        "ruled_at": None if question.ruled_at is None else to_us(question.ruled_at),
        "reason": question.reason,
    }


def _question(row: sa.Row[tuple[object, ...]]) -> Question:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row by column
    return Question(
        id=values["id"],
        kind=Kind(values["kind"]),
        bee=values["bee"],
        attempt=values["attempt"],
        asked_at=from_us(values["asked_at"]),
        expires_at=from_us(values["expires_at"]),
        on_expiry=values["on_expiry"],
        incident_id=values["incident_id"],
        run_id=values["run_id"],
        version=values["version"],
        against=values["against"],
        evidence=json.loads(values["evidence"]),
        answer=Answer(values["answer"]),
        by=values["ruled_by"],
        ruled_at=None if values["ruled_at"] is None else from_us(values["ruled_at"]),
        reason=values["reason"],
    )

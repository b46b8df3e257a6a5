"""What incidents ask of the ledger, inside one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from worker.incidents.approval import Answer, Question
from worker.incidents.machine import Incident, State


class IncidentLedger(Protocol):
    """Incidents by bee: at most one that is not closed."""

    def open_for(self, bee: str) -> Incident | None:
        """Return the bee's incident that is not closed."""
        ...

    def get(self, incident_id: str) -> Incident | None:
        """Return one incident."""
        ...

    def list(self, bee: str | None = None) -> Sequence[Incident]:
        """Return incidents, newest first."""
        ...

    def page(
        self, *, bee: str | None, state: State | None, before: tuple[datetime, str] | None, limit: int
    ) -> Sequence[Incident]:
        """Return up to `limit` incidents, newest first by (opened_at, id), all of them older than `before`."""
        ...

    def unfinished(self) -> Sequence[Incident]:
        """Return the incidents that are not closed, oldest first."""
        ...

    def save(self, incident: Incident) -> None:
        """Insert or replace. Raises Conflict if the bee has another that is not closed."""
        ...


class ApprovalLedger(Protocol):
    """The questions that people were asked, and their answers."""

    def add(self, question: Question) -> None:
        """Keep a question; one with that id that is there already stays as it is."""
        ...

    def get(self, question_id: str) -> Question | None:
        """Return one question."""
        ...

    def list(self, *, bee: str | None = None, answer: Answer | None = None) -> Sequence[Question]:
        """Return questions, the newest first."""
        ...

    def page(
        self, *, bee: str | None, answer: Answer | None, before: tuple[datetime, str] | None, limit: int
    ) -> Sequence[Question]:
        """Return up to `limit` questions, newest first by (asked_at, id), all of them older than `before`."""
        ...

    def of_incident(self, incident_id: str) -> Sequence[Question]:
        """Return what was asked about an incident, oldest first."""
        ...

    def of_run(self, run_id: str) -> Question | None:
        """Return the question about the deployment of what a run made."""
        ...

    def save(self, question: Question) -> None:
        """Replace a question; its bee's lock must be held."""
        ...

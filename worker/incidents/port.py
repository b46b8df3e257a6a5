"""What incidents ask of the ledger, inside one transaction."""

from collections.abc import Sequence
from typing import Protocol

from worker.incidents.machine import Incident


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

    def unfinished(self) -> Sequence[Incident]:
        """Return the incidents that are not closed, oldest first."""
        ...

    def save(self, incident: Incident) -> None:
        """Insert or replace. Raises Conflict if the bee has another that is not closed."""
        ...

"""An incident as it is shown: its story as a time line, what it waits for, and what happens next."""

from collections.abc import Sequence
from typing import Any

from worker.clock import to_text
from worker.costs.summary import Sums, total
from worker.decide.policy import Policy
from worker.incidents.machine import Incident
from worker.incidents.words import Entry, following, told
from worker.ledger import Transaction
from worker.runs.explain import runs_of
from worker.runs.port import CostFilter


def story_of(incident: Incident, transaction: Transaction, policy: Policy) -> tuple[Sequence[Entry], str]:
    """Return an incident's story in words, oldest first, and what happens next."""
    own, questions = policy.of(incident.bee), transaction.approvals.of_incident(incident.id)
    runs = {attempt: run.id for attempt, run in runs_of(transaction, incident).items()}
    return told(incident, runs, questions), following(incident, own.retry.limit, own.verify.windows, questions)


def cost_of(incident: Incident, transaction: Transaction) -> Sums:
    """Return what all attempts of an incident cost together."""
    return total(transaction.runs.costs(CostFilter(incident=incident.id, bee=incident.bee)))


def shown_incident(incident: Incident, transaction: Transaction, policy: Policy) -> dict[str, Any]:
    """Return an incident as one JSON object in the published form."""
    entries, next_ = story_of(incident, transaction, policy)
    waiting = incident.waiting
    return {
        "incidentId": incident.id,
        "beeId": incident.bee,
        "modelVersion": incident.version,
        "state": incident.state.value,
        "attempt": incident.attempt,
        "openedAt": to_text(incident.opened_at),
        "changedAt": to_text(incident.changed_at),
        "waitsFor": waiting.why if waiting else None,
        "waitsUntil": to_text(waiting.until) if waiting and waiting.until else None,
        "next": next_,
        "cost": cost_of(incident, transaction).told(),
        "story": list(incident.story),
        "timeline": [
            {"at": entry.at, "what": entry.what, "said": entry.said, "details": list(entry.details)}
            for entry in entries
        ],
    }

"""Ask for a run: the row that the launch loop picks up, and the event that says so, in the caller's transaction."""

from datetime import datetime

from worker.clock import to_text
from worker.ledger import Transaction
from worker.runs.lifecycle import Run


def request_run(run: Run, transaction: Transaction, now: datetime) -> None:
    """Store a PENDING run. Raises Conflict if it exists, or the bee has a run in flight."""
    transaction.runs.add(run)
    tell(run, "pipeline.run.requested", transaction, now)


def tell(run: Run, type_: str, transaction: Transaction, now: datetime, **more: object) -> None:
    """Put an event about a run into the outbox; its id is made of type, run and the run's transition."""
    data = {
        "runId": run.id,
        "pipeline": run.template,
        "beeId": run.bee,
        "incidentId": run.incident_id,
        "attempt": run.attempt,
        "trigger": run.trigger,
        "reason": run.reason,
        "asOf": to_text(run.as_of),
        "status": run.status.value,
    }
    transaction.outbox.add(run.bee, type_, run.id, run.transition, now, data | more)

"""What people do to an incident: close it, or ask for another attempt."""

from handlers.commands.operator import Operator, checked_reason
from worker.decide.people import close, retry
from worker.errors import Conflict, NotFound
from worker.incidents.machine import Incident, State
from worker.ledger import Transaction
from worker.runs.follow import follow, look
from worker.runs.lifecycle import Run


def close_incident(operator: Operator, incident_id: str, reason: str) -> Incident:
    """Close an incident in the operator's name; the next bad evaluation opens another.

    Raises:
        NotFound: no such incident, or its bee is not configured any more.
        Conflict: it is closed, a run of it is in flight, or its deployment is to be ruled on.
        Rejected: no reason is given.
    """
    why = checked_reason(reason)
    with operator.ledger.begin() as transaction:
        bee = _locked(operator, incident_id, transaction)
        before, situation = look(operator.bees[bee], operator.policy, transaction, operator.now, whole=True)
        after = close(before, situation, operator.name, why)
        follow(before, after, (), situation, transaction)
        return after.incident or find_incident(transaction, incident_id)


def retry_incident(operator: Operator, incident_id: str, reason: str) -> tuple[Incident, Run | None]:
    """Ask for another attempt, whatever the limit of attempts and the back-off say; return the run, if one begins.

    What else holds runs back (a pause, a budget, a cooldown) goes on to do so: the attempt waits for it.

    Raises:
        NotFound: no such incident, or its bee is not configured any more.
        Conflict: it is closed, a run of it is in flight, or a deployment is to be ruled on or verified.
        Rejected: no reason is given.
    """
    why = checked_reason(reason)
    with operator.ledger.begin() as transaction:
        bee = _locked(operator, incident_id, transaction)
        around = operator.around
        found = look(operator.bees[bee], operator.policy, transaction, operator.now, whole=True, around=around)
        before, situation = found
        after, effects, _ = retry(before, situation, operator.name, why)
        run = follow(before, after, effects, situation, transaction)
        return after.incident or find_incident(transaction, incident_id), run


def find_incident(transaction: Transaction, incident_id: str) -> Incident:
    """Return an incident. Raises NotFound."""
    incident = transaction.incidents.get(incident_id)
    if incident is None:
        raise NotFound(f"there is no incident {incident_id}; `colony incidents` lists them", field="incidentId")
    return incident


def _locked(operator: Operator, incident_id: str, transaction: Transaction) -> str:
    """Take the lock of an incident's bee and return its name."""
    bee = operator.bee(find_incident(transaction, incident_id).bee).bee
    transaction.lock([bee])
    if find_incident(transaction, incident_id).state is State.CLOSED:
        raise Conflict(f"incident {incident_id} is closed, nothing more happens to it")
    return bee

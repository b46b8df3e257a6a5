"""When an incident is to be looked at again although nothing has happened; pure."""

from datetime import datetime

from worker.decide.policy import Policy
from worker.incidents.machine import WAITING, Incident, State


def due_at(incident: Incident | None, policy: Policy) -> datetime | None:
    """Return when time alone takes an incident on: a bar lifts, a question expires, nobody has verified.

    None while only something else that happens can (a run ends, a person resumes); `policy` is the bee's own.
    """
    if incident is None:
        return None
    if incident.state is State.GATED:
        return incident.asked_until
    if incident.state in WAITING:
        until = incident.waiting.until if incident.waiting else None
        asked = incident.asked_until if incident.approved != incident.attempt + 1 else None
        times = [time for time in (until, asked) if time is not None]
        return min(times, default=None)
    if incident.state is State.DEPLOYED and policy.verify.within is not None:
        return incident.changed_at + policy.verify.within
    return None


def waits_for_others(incident: Incident | None) -> bool:
    """Tell whether an incident waits for something that has no time of its own, or may be over before its time."""
    if incident is None or incident.state not in WAITING or incident.stopped:
        return False
    waiting = incident.waiting
    return waiting is None or waiting.until is None or waiting.shared is not None

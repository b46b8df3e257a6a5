"""How a bee's course goes on with the rollout of its incident's model; pure. Without an incident it stays as it is."""

from datetime import datetime
from decimal import Decimal

from worker.decide.course import Course, Situation, after_gate, counted
from worker.decide.recovery import bar_of
from worker.incidents import machine
from worker.incidents.machine import Incident, State


def advanced(course: Course, incident_id: str | None, reason: str, now: datetime) -> Course:
    """Return the course after a step was advanced; an incident that was handed to a person for it is taken back."""
    incident = _of(course, incident_id)
    return course if incident is None else course.with_incident(machine.rolled_out(incident, "advanced", reason, now))


def held(course: Course, incident_id: str | None, reason: str, now: datetime) -> Course:
    """Return the course after a step lacked evidence for too long: a person must look."""
    incident = _of(course, incident_id)
    if incident is None or incident.state in machine.WAITING:
        return course
    return course.with_incident(machine.escalated(incident, reason, now))


def verified(course: Course, situation: Situation, incident_id: str | None, reason: str) -> Course:
    """Return the course after the model has proven itself in production: what was to be verified is.

    It was compared with the champion that the incident is about: where more is asked for, the evaluations to come
    verify that.
    """
    incident = _of(course, incident_id)
    if incident is None:
        return course
    course = counted(course, situation, State.DEPLOYED, Decimal(0))
    if bar_of(incident, situation.policy) is not None:
        return course.with_incident(machine.promoted(incident, reason, "", situation.now))
    return course.with_incident(machine.closed(incident, reason, situation.now))


def promoted(course: Course, situation: Situation, incident_id: str | None, reason: str, by: str) -> Course:
    """Return the course after a person put the model wholly into production; the evaluations to come verify it."""
    incident = _of(course, incident_id)
    if incident is None:
        return course
    course = counted(course, situation, State.DEPLOYED, Decimal(0))
    return course.with_incident(machine.promoted(incident, reason, by, situation.now))


def taken_back(course: Course, situation: Situation, incident_id: str | None, to: str, reason: str) -> Course:
    """Return the course after the champion serves everybody again: the incident goes on as after a failed attempt."""
    incident = _of(course, incident_id)
    if incident is None:
        return course
    after = machine.taken_back(incident, to, reason, situation.now)
    course = counted(course, situation, State.FAILED, Decimal(0))
    return course.with_incident(after if incident.state in machine.WAITING else after_gate(after, situation))


def _of(course: Course, incident_id: str | None) -> Incident | None:
    """Return the rollout's incident if it is still open, and nothing else is made of it."""
    incident = course.incident
    if incident is None or incident_id is None or incident.id != incident_id:
        return None
    return None if incident.state in {State.RETRAINING, State.GATED, State.DEPLOYED, State.CLOSED} else incident

"""What people do to a bee's course: pause it, answer questions, ask for an attempt, close its incident; pure."""

from dataclasses import replace

from worker.decide.course import Course, Effect, Situation, begin_or_wait
from worker.decide.memory import BeeMemory, ColonyMemory, Pause
from worker.decide.rules import RuleResult
from worker.errors import Conflict
from worker.incidents import machine
from worker.incidents.machine import Incident, State

_MENDS = {
    State.RETRAINING: "cancel its run first, or wait for its end",
    State.GATED: "approve or refuse its deployment first",
    State.ROLLOUT: "its new model is being rolled out; promote that version or roll it back first",
    State.DEPLOYED: "its new model is being verified; roll it back, or close the incident",
}
Asked = tuple[Course, tuple[Effect, ...], tuple[RuleResult, ...]]


def paused(memory: BeeMemory, pause: Pause) -> BeeMemory:
    """Return a bee's memory with a pause; a second one replaces the first."""
    return replace(memory, pause=pause)


def resumed(memory: BeeMemory) -> BeeMemory:
    """Return a bee's memory without a pause."""
    return replace(memory, pause=None)


def colony_paused(memory: ColonyMemory, pause: Pause | None) -> ColonyMemory:
    """Return the colony's memory with a pause, or without one."""
    return replace(memory, pause=pause)


def approve_run(course: Course, situation: Situation, by: str, reason: str) -> Asked:
    """Approve the attempt that waits for a person, and begin it unless a guard holds it back by now."""
    incident = machine.approved(_incident(course), by, situation.now, reason)
    return _go_on(course.with_incident(incident), situation)


def refuse_run(course: Course, situation: Situation, by: str, reason: str) -> Course:
    """Refuse the attempt that waits for a person: the incident is in people's hands from now on."""
    incident = _incident(course)
    said = f"{by} refused attempt {incident.attempt + 1}: {reason}"
    return course.with_incident(machine.escalated(incident, said, situation.now, by=by))


def retry(course: Course, situation: Situation, by: str, reason: str) -> Asked:
    """Ask for another attempt, whatever the limit and the back-off say; the guards are asked as ever."""
    incident = _incident(course)
    if incident.state in _MENDS:
        raise Conflict(f"incident {incident.id} is {incident.state}: {_MENDS[incident.state]}")
    return _go_on(course.with_incident(machine.retried(incident, by, reason, situation.now)), situation)


def close(course: Course, situation: Situation, by: str, reason: str) -> Course:
    """Close the incident. Raises Conflict while a run is in flight, to be ruled on, or its model is rolled out."""
    incident = _incident(course)
    if incident.state in machine.BUSY:
        raise Conflict(f"incident {incident.id} is {incident.state}: {_MENDS[incident.state]}")
    return course.with_incident(machine.closed(incident, reason, situation.now, by=by))


def _go_on(course: Course, situation: Situation) -> Asked:
    incident = _incident(course)
    reason = incident.newest.reason if incident.newest else "a person asked for it"
    return begin_or_wait(course, situation, reason)


def _incident(course: Course) -> Incident:
    if course.incident is None:
        raise Conflict("the bee has no incident that is not closed")
    return course.incident

"""A bee's course: its memory and its incident, and how it goes on when time passes or a run ends; pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from worker.bee import BeeSpec, duration_text
from worker.clock import to_text
from worker.decide.bars import BUDGETS, Ask, bars, held, lifted_at
from worker.decide.memory import BeeMemory, ColonyMemory
from worker.decide.policy import Policy
from worker.decide.rules import Outcome, RuleResult
from worker.frozen import made
from worker.incidents import machine
from worker.incidents.machine import Incident, Shared, State, Waiting
from worker.monitor.finding import OpenFinding


@dataclass(frozen=True)
class Course:
    """What is remembered of a bee, of the colony, and the bee's incident; None while there is none open."""

    memory: BeeMemory = field(default_factory=BeeMemory)
    colony: ColonyMemory = field(default_factory=ColonyMemory)
    incident: Incident | None = None

    def with_incident(self, incident: Incident) -> "Course":
        """Return it with the incident as it stands now."""
        return replace(self, incident=incident)

    def heard(self, now: datetime) -> "Course":
        """Return it after an evaluation came in, whatever it says."""
        return made(Course, {"memory": self.memory.hears(now), "colony": self.colony, "incident": self.incident})


@dataclass(frozen=True)
class Situation:
    """Everything around a bee when something is decided.

    Attributes:
        active_run: a run of the bee that has not been settled.
        in_flight: how many runs of incidents are in flight in the colony.
        estimate: what a retrain of the bee will cost; None: not known. estimated: what that stands on, in words.
        ahead: how many other bees wait for nothing but room, and may begin before this one.
        new_labels: how many labels have become known since the last attempt of the bee's incident; None: not known.
        trial: what is being tried on the bee's traffic, in words; empty while nothing is.
        findings: what is wrong with the bee's features now; read only where the policy asks for it.
    """

    bee: BeeSpec
    policy: Policy
    now: datetime
    active_run: str | None = None
    in_flight: int = 0
    estimate: Decimal | None = Decimal(0)
    ahead: int = 0
    new_labels: int | None = None
    trial: str = ""
    findings: Sequence[OpenFinding] = ()
    estimated: str = ""


@dataclass(frozen=True)
class Begin:
    """Ask for the run of the incident's newest attempt, on the data until `as_of`."""

    as_of: datetime
    reason: str
    estimate: Decimal | None
    estimated: str = ""


@dataclass(frozen=True)
class RollBack:
    """Put the earlier version back into production."""

    to: str
    reason: str


@dataclass(frozen=True)
class AskPerson:
    """Ask a person to approve the incident's next attempt, with the evidence; the question ends at `expires`.

    Attributes:
        on_expiry: what silence will mean, `refuse` or `approve`.
    """

    attempt: int
    reason: str
    estimate: Decimal | None
    expires: datetime
    on_expiry: str
    estimated: str = ""


@dataclass(frozen=True)
class OverBudget:
    """Tell that a budget holds a retrain back: once in its period."""

    guard: RuleResult


Effect = Begin | RollBack | AskPerson | OverBudget


def begin_or_wait(
    course: Course, situation: Situation, reason: str
) -> tuple[Course, tuple[Effect, ...], tuple[RuleResult, ...]]:
    """Begin the incident's next attempt, or let it wait; return the guards' words as well.

    An incident whose attempts are used up is escalated instead.

    Raises:
        Conflict: the course has no incident that could begin one.
    """
    incident, policy, now = _incident(course), situation.policy, situation.now
    if incident.tries >= policy.retry.limit and incident.attempt >= incident.granted:
        guard = _exhausted(incident, policy)
        return course.with_incident(machine.escalated(incident, f"{guard.why}: {reason}", now)), (), (guard,)
    guards = bars(_ask(course, situation, incident))
    holding = held(guards)
    if holding:
        room = [guard.name for guard in holding] == ["concurrent_runs"]
        waiting = _waiting(situation, incident, "; ".join(guard.why for guard in holding), lifted_at(guards))
        waiting = replace(waiting, room=room, shared=_shared(course.colony, holding, now))
        waits = machine.waits(incident, waiting, now, _checks(guards))
        over = tuple(OverBudget(guard) for guard in holding if guard.name in BUDGETS)
        return course.with_incident(waits), over, guards
    approval = _approval(incident, situation)
    guards = (*guards, approval)
    if approval.outcome is Outcome.HELD:
        asked_before = incident.asked_until is not None
        expires = incident.asked_until or now + policy.approval.expires
        silence, stands = policy.approval.on_expiry, situation.estimated
        ask = AskPerson(incident.attempt + 1, reason, situation.estimate, expires, silence, stands)
        waiting = _waiting(situation, incident, approval.why, expires)
        waits = machine.waits(machine.asked(incident, expires), waiting, now, _checks(guards))
        return course.with_incident(waits), () if asked_before else (ask,), guards
    return *_begin(course, situation, incident, reason, guards), guards


def _waiting(situation: Situation, incident: Incident, why: str, until: datetime | None) -> Waiting:
    return Waiting(why, situation.now, until, _severity(incident), situation.policy.version)


def _shared(colony: ColonyMemory, holding: Sequence[RuleResult], now: datetime) -> Shared | None:
    """Return what of the colony holds, as it stands."""
    names = {guard.name for guard in holding}
    found = Shared(
        colony.tally.open_until if "colony_breaker" in names else None,
        colony.tally.cost_in(now) if "colony_budget_cost" in names else None,
    )
    return None if found == Shared() else found


def _checks(guards: Sequence[RuleResult]) -> list[dict[str, str]]:
    """Return the guards for the story; those that the policy does not use are no news."""
    asked = (guard for guard in guards if guard.outcome is not Outcome.OFF)
    return [{"name": guard.name, "outcome": guard.outcome.value, "why": guard.why} for guard in asked]


def _begin(
    course: Course, situation: Situation, incident: Incident, reason: str, guards: Sequence[RuleResult]
) -> tuple[Course, tuple[Effect, ...]]:
    now, as_of = situation.now, as_of_now(incident, situation.now)
    memory = course.memory.acted(as_of, now)
    # What nobody knows is counted once it is known: when the run has been settled.
    cost = situation.estimate or Decimal(0)
    memory = replace(memory, tally=memory.tally.begun(now, cost))
    colony = replace(course.colony, tally=course.colony.tally.begun(now, cost))
    begun = Course(memory, colony, machine.begun(incident, reason, now, _checks(guards)))
    return begun, (Begin(as_of, reason, situation.estimate, situation.estimated),)


def as_of_now(incident: Incident, now: datetime) -> datetime:
    """Return the event time up to which a retrain that begins now has data.

    That of the newest evaluation, and as much later as has passed since it was judged: recorded events may be years
    old, and a second attempt is to see what the first could not.
    """
    newest = incident.newest
    return now if newest is None else newest.evaluated_at + max(now - newest.received_at, timedelta(0))


def tick(course: Course, situation: Situation) -> tuple[Course, tuple[Effect, ...]]:
    """Go on where time alone is reason to: a back-off is over, a bar has lifted, nobody has verified."""
    incident, now = course.incident, situation.now
    if incident is None:
        return course, ()
    if incident.state in machine.WAITING and _expired(incident, now):
        if situation.policy.approval.on_expiry == "refuse":
            reason = f"nobody approved attempt {incident.attempt + 1} in time, and silence means no"
            return course.with_incident(machine.escalated(incident, reason, now)), ()
        incident = machine.approved(incident, "expiry", now)
        course = course.with_incident(incident)
    if incident.state in machine.WAITING and due(incident, situation.policy, now, course.colony):
        reason = incident.newest.reason if incident.newest else "the incident is open"
        course, effects, _ = begin_or_wait(course, situation, reason)
        return course, effects
    within = situation.policy.verify.within
    if incident.state is State.DEPLOYED and within is not None and now >= incident.changed_at + within:
        reason = f"no evidence that the deployed model is well within {duration_text(within)}"
        return course.with_incident(machine.escalated(incident, reason, now)), ()
    return course, ()


@dataclass(frozen=True)
class Ending:
    """How an incident's run ended.

    Attributes:
        state: deployed, rollout (it goes into production in steps), gated (a person is asked), refused, failed,
            escalated, or open (it was cancelled).
        correction: what the run cost beyond its estimate (negative: it cost less).
        until: gated, how long a person has to rule on the deployment.
    """

    state: State
    reason: str
    run_id: str
    correction: Decimal = Decimal(0)
    until: datetime | None = None


def ended(course: Course, situation: Situation, ending: Ending) -> Course:
    """Return the course after the incident's run ended. Raises Conflict if no run of it was in flight."""
    now, until = situation.now, ending.until
    incident = machine.settled(_incident(course), ending.state, ending.reason, ending.run_id, now, until=until)
    course = counted(course, situation, ending.state, ending.correction)
    return course.with_incident(after_gate(incident, situation))


def ruled(course: Course, situation: Situation, *, approve: bool, reason: str, by: str, staged: bool = False) -> Course:
    """Return the course after a person's word on a deployment, which may go in steps (`staged`).

    Raises:
        Conflict: none was asked for.
    """
    state = (State.ROLLOUT if staged else State.DEPLOYED) if approve else State.REFUSED
    incident = machine.ruled(_incident(course), state, reason, by, situation.now)
    course = counted(course, situation, state, Decimal(0))
    return course.with_incident(after_gate(incident, situation))


def after_gate(incident: Incident, situation: Situation) -> Incident:
    """Go on after a failure: another attempt after the back-off, or a person."""
    policy, now = situation.policy, situation.now
    if incident.state not in machine.WAITING:
        return incident
    if incident.newest is not None and incident.newest.bad is False and len(incident.well) >= policy.verify.windows:
        return machine.closed(incident, f"well again in the meantime: {incident.newest.reason}", now)
    if incident.stopped:
        why = f"a person cancelled attempt {incident.attempt}: the next bad data window asks for another, or a person"
        return machine.waits(incident, Waiting(why, now, None, _severity(incident), person=True), now)
    if incident.tries >= policy.retry.limit:
        return machine.escalated(incident, _exhausted(incident, policy).why, now)
    wait, after = policy.retry.wait(incident.tries), f"attempt {incident.tries} of {policy.retry.limit}"
    why = f"{after} {incident.state}; tried again after {duration_text(wait)}"
    return machine.waits(incident, Waiting(why, now, now + wait, _severity(incident)), now)


def roll_back(course: Course, situation: Situation, to: str, reason: str) -> tuple[Course, tuple[Effect, ...]]:
    """Take a deployed model back that made it worse; the incident goes on as after a failed attempt."""
    incident = machine.rolled_back(_incident(course), to, reason, situation.now)
    course = counted(course, situation, State.FAILED, Decimal(0))
    return course.with_incident(after_gate(incident, situation)), (RollBack(to, reason),)


def counted(course: Course, situation: Situation, state: State, correction: Decimal) -> Course:
    """Enter a run's end into the tallies of the bee and of the colony; one that is still open is neither well nor not.

    `correction` is what the run cost beyond its estimate.
    """
    policy, now = situation.policy, situation.now
    own, shared = course.memory.tally, course.colony.tally
    if correction:
        own, shared = own.settled(now, correction=correction), shared.settled(now, correction=correction)
    if state is State.DEPLOYED:
        own, shared = own.went_well(), shared.went_well()
    elif state is State.OPEN:
        own, shared = own.called_off(), shared.called_off()
    elif state not in {State.GATED, State.ROLLOUT}:
        breaker, common = policy.breaker, policy.colony.breaker
        own = own.went_wrong(now, breaker.failures, breaker.within, breaker.pause)
        shared = shared.went_wrong(now, common.failures, common.within, common.pause)
    memory, colony = replace(course.memory, tally=own), replace(course.colony, tally=shared)
    return replace(course, memory=memory, colony=colony)


def fair_order(incidents: Sequence[Incident], now: datetime, starving: timedelta) -> list[Incident]:
    """Return waiting incidents in the order in which they may begin.

    Those that have waited for longer than `starving` first, the oldest of them before all; then by severity, and
    within one severity the oldest first; bees of the same moment by name.
    """

    def rank(incident: Incident) -> tuple[bool, int, datetime, str]:
        waiting = incident.waiting
        since = waiting.since if waiting else incident.opened_at
        hungry = now - since >= starving
        severity = waiting.severity if waiting else 0
        return (not hungry, 0 if hungry else -severity, since, incident.bee)

    return sorted((one for one in incidents if one.state in machine.WAITING), key=rank)


def _incident(course: Course) -> Incident:
    if course.incident is None:
        raise ValueError("the course has no incident")
    return course.incident


def _ask(course: Course, situation: Situation, incident: Incident) -> Ask:
    return Ask(
        bee=situation.bee,
        policy=situation.policy,
        memory=course.memory,
        colony=course.colony,
        event_time=as_of_now(incident, situation.now),
        now=situation.now,
        active_run=situation.active_run,
        in_flight=situation.in_flight,
        estimate=situation.estimate,
        estimated=situation.estimated,
        ahead=situation.ahead,
        since=learned_until(course),
        new_labels=situation.new_labels,
        granted=incident.granted > incident.attempt,
        trial=situation.trial,
        findings=situation.findings,
    )


def _approval(incident: Incident, situation: Situation) -> RuleResult:
    approval, attempt = situation.policy.approval, incident.attempt + 1
    inputs: dict[str, Any] = {
        "attempt": attempt,
        "estimate": situation.estimate,
        "runs": approval.runs,
        "above": approval.above_cost,
    }
    inputs |= {"estimatedBy": situation.estimated} if situation.estimated else {}
    expires = incident.asked_until or situation.now + approval.expires
    if not approval.asked_for_run(situation.estimate):
        return RuleResult("approval", Outcome.OFF, inputs, "no approval is asked for")
    if attempt in {incident.approved, incident.granted}:
        return RuleResult("approval", Outcome.PASSED, inputs, f"approved by {incident.approved_by or 'a person'}")
    why = f"attempt {attempt} waits for a person's approval"
    return RuleResult("approval", Outcome.HELD, inputs, why, expires)


def _exhausted(incident: Incident, policy: Policy) -> RuleResult:
    inputs = {"attempt": incident.tries, "limit": policy.retry.limit}
    why = f"{incident.tries} of {policy.retry.limit} attempts did not mend it, a person must look"
    return RuleResult("attempts", Outcome.HELD, inputs, why)


def _expired(incident: Incident, now: datetime) -> bool:
    asked, attempt = incident.asked_until, incident.attempt + 1
    return asked is not None and now >= asked and incident.approved != attempt


def silent(memory: BeeMemory, expect_every: timedelta | None, now: datetime) -> bool:
    """Tell whether a bee's evaluations have stopped, and nobody was told yet."""
    if expect_every is None or memory.heard is None or memory.missing_told:
        return False
    return now - memory.heard > expect_every


def learned_until(course: Course) -> datetime | None:
    """Return until when the newest attempt of the incident had data; None before the first, and if it was cancelled.

    Whatever a cancelled attempt had begun with, nothing was learned from it.
    """
    incident = course.incident
    none = incident is None or not incident.attempt or incident.attempt in incident.cancelled
    return None if none else course.memory.acted_event


def _lifted_early(before: Shared, colony: ColonyMemory, now: datetime) -> bool:
    """Tell whether another bee's success closed the breaker, or a cheaper run than thought made room."""
    until = colony.tally.open_until
    closed = before.open_until is not None and (until is None or until < before.open_until)
    return closed or (before.spent is not None and colony.tally.cost_in(now) < before.spent)


def _severity(incident: Incident) -> int:
    return incident.newest.severity if incident.newest else 0


def due(incident: Incident, policy: Policy, now: datetime, colony: ColonyMemory) -> bool:
    """Tell whether what an incident waits for may be over.

    Its time has come, another policy is in force, or what of the colony held it back has lifted before its time. One
    whose run a person cancelled is never due.
    """
    waiting = incident.waiting
    if incident.stopped:
        return False
    if waiting is None or waiting.until is None or now >= waiting.until:
        return True
    if waiting.shared is not None and _lifted_early(waiting.shared, colony, now):
        return True
    return bool(waiting.policy) and waiting.policy != policy.version


def standing(incident: Incident) -> str:
    """Return in a few words where an incident stands."""
    if incident.waiting is None:
        return f"{incident.state}, attempt {incident.attempt}"
    until = f" until {to_text(incident.waiting.until)}" if incident.waiting.until else ""
    return f"{incident.state}, attempt {incident.attempt}: {incident.waiting.why}{until}"

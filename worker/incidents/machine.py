"""An incident's states and the only ways between them; time and ids are arguments, nothing is read or written.

bad evaluation ─┬─(nothing holds it back)──→ retraining ─┬→ deployed ──(well)→ closed
                └─(held, or to be approved)→ open ──↗    ├→ gated ──(approved)→ deployed or rollout, (not)→ refused
                                                         ├→ rollout ──(verified)→ closed, (held)→ escalated
                                                         ├→ refused ┐ (after the back-off) → retraining
                                                         ├→ failed  ┘ (no attempt left)   → escalated
                                                         ├→ escalated ──(well, or a person)→ closed, (a person)→ open
                                                         └→ open (a person cancelled it) ──(bad again)→ retraining
deployed and still bad → retraining or open; deployed, or rolled out, and worse → rolled back, then as failed.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from worker.clock import to_text
from worker.errors import Conflict

#: How long a story may be before further evaluations are no longer noted in it.
MAX_STORY = 500


class State(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    RETRAINING = "retraining"
    GATED = "gated"
    ROLLOUT = "rollout"
    DEPLOYED = "deployed"
    REFUSED = "refused"
    FAILED = "failed"
    ESCALATED = "escalated"
    CLOSED = "closed"


#: States in which a run is still to begin, by itself.
WAITING = frozenset({State.OPEN, State.REFUSED, State.FAILED})
#: States in which an attempt is under way: no other begins.
BUSY = frozenset({State.RETRAINING, State.GATED, State.ROLLOUT})
#: States in which its model may be on its way into production: a person may have been asked, or asked for more.
_ROLLED_OUT = frozenset({State.ROLLOUT, State.ESCALATED, *WAITING})


@dataclass(frozen=True)
class Shared:
    """What of the whole colony held an attempt back, as it stood then: another bee's run may lift it early.

    Attributes:
        open_until: the colony's circuit breaker was open until then; None if it did not hold.
        spent: what the colony had spent in the month when its budget held; None if it did not.
    """

    open_until: datetime | None = None
    spent: Decimal | None = None


@dataclass(frozen=True)
class Waiting:
    """Why no run is in flight yet.

    Attributes:
        why: the sentence that a person reads.
        since: for the fair order over the bees.
        until: when to look again; None: whenever something happens.
        severity: 0 (none) to 4 (critical), of the evaluation that asks.
        policy: the version of the policy that holds it back; empty where it is no guard that does, but a back-off.
        room: nothing but the limit of runs at once holds it back.
        shared: what of the whole colony holds it back until then, and may lift before.
        person: somebody cancelled the run: time does not begin another, a bad data window or a person does.
    """

    why: str
    since: datetime
    until: datetime | None = None
    severity: int = 0
    policy: str = ""
    room: bool = False
    shared: Shared | None = None
    person: bool = False


@dataclass(frozen=True)
class Newest:
    """The newest evaluation that belongs to the incident, judged.

    Attributes:
        evaluated_at: its event time; received_at: when it was judged.
        bad: True bad, False well, None without evidence.
        value: of the bee's metric, where it had one.
        severity: 0 (none) to 4 (critical), of what was found.
    """

    evaluated_at: datetime
    received_at: datetime
    bad: bool | None
    reason: str
    value: Decimal | None = None
    severity: int = 0


#: What was checked before an attempt began or had to wait, for the story: {name, outcome, why}.
Checks = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Incident:
    """One episode.

    Attributes:
        version: the model version that was found bad.
        attempt: of the newest run, 1 for the first; 0 while none has begun.
        story: what happened, oldest first: {at, what, …}.
        waiting: why no run is in flight, in a state that waits for one.
        newest: the newest evaluation that was judged.
        before: the bee's metric when the newest attempt began: what a deployed model is compared with.
        baseline: of the bee's metric when it opened: what the model must come near to; None where none is asked for.
        well: the data windows in which the model was well since it last was not.
        asked_until: a person was asked to approve the next attempt, or a deployment, and has until then; None if not.
        approved, approved_by: the attempt that was approved, and by whom.
        granted: the attempt that a person asked for by name: no limit of attempts stands in its way.
        cancelled: the attempts that were cancelled: they say nothing of the model, and no limit counts them.
    """

    id: str
    bee: str
    state: State
    attempt: int
    opened_at: datetime
    changed_at: datetime
    version: str
    story: tuple[Mapping[str, Any], ...] = ()
    waiting: Waiting | None = None
    newest: Newest | None = None
    before: Decimal | None = None
    well: tuple[str, ...] = ()
    asked_until: datetime | None = None
    approved: int = 0
    approved_by: str = ""
    granted: int = 0
    cancelled: tuple[int, ...] = ()
    baseline: Decimal | None = None

    @property
    def tries(self) -> int:
        """How many attempts were let go on to their end, the one in flight among them."""
        return self.attempt - len(self.cancelled)

    @property
    def stopped(self) -> bool:
        """Whether a person cancelled the newest attempt, and nothing has asked for another since."""
        return self.waiting is not None and self.waiting.person

    @property
    def working(self) -> bool:
        """Whether a run of this incident is in flight."""
        return self.state is State.RETRAINING


def incident_id(bee: str, source: str, event_id: str) -> str:
    """Return the id of the incident that this event opens: the same event always opens the same incident."""
    return hashlib.sha256(f"{bee}\n{source}\n{event_id}".encode()).hexdigest()[:24]


def opened(
    id_: str, bee: str, version: str, newest: Newest, now: datetime, *, baseline: Decimal | None = None
) -> Incident:
    """Return a new incident that no run has begun for yet; `baseline` is what its end is to be measured by."""
    waiting = Waiting(newest.reason, now, severity=newest.severity)
    incident = Incident(id_, bee, State.OPEN, 0, now, now, version, waiting=waiting, newest=newest, baseline=baseline)
    return _told(incident, now, "opened", reason=newest.reason, version=version)


def begun(incident: Incident, reason: str, now: datetime, checks: Checks = ()) -> Incident:
    """Return the incident with its next attempt under way; `checks` is what let it through.

    Raises:
        Conflict: a run is in flight, or the incident is closed.
    """
    if incident.state in {*BUSY, State.CLOSED}:
        raise Conflict(f"incident {incident.id} is {incident.state}, it takes no new attempt")
    before = incident.newest.value if incident.newest and incident.newest.value is not None else incident.before
    following = replace(
        incident,
        state=State.RETRAINING,
        attempt=incident.attempt + 1,
        changed_at=now,
        waiting=None,
        before=before,
        well=(),
        asked_until=None,
    )
    return _told(following, now, "retraining", reason=reason, attempt=following.attempt, **_checked(checks))


def waits(incident: Incident, waiting: Waiting, now: datetime, checks: Checks = ()) -> Incident:
    """Return the incident with the reason why its next attempt has to wait; told once per reason.

    `checks` is what was asked, among it what holds the attempt back.

    Raises:
        Conflict: a run is in flight, or the incident is closed.
    """
    if incident.state in {*BUSY, State.CLOSED}:
        raise Conflict(f"incident {incident.id} is {incident.state}, nothing waits there")
    state = incident.state if incident.state in WAITING else State.OPEN
    before = incident.waiting
    if before and before.why == waiting.why:
        return replace(incident, state=state, waiting=replace(waiting, since=before.since))
    kept = replace(waiting, since=before.since) if before else waiting
    until = {"until": to_text(kept.until)} if kept.until else {}
    following = replace(incident, state=state, waiting=kept, changed_at=now)
    if len(incident.story) >= MAX_STORY:
        return following
    return _told(following, now, "held", reason=waiting.why, **until, **_checked(checks))


def attached(incident: Incident, newest: Newest, now: datetime, what: str = "") -> Incident:
    """Return the incident with one more evaluation, told as `what`. Raises Conflict if it is closed."""
    what = what or ("healthy" if newest.bad is False else "attached")
    noted = _noted(incident, now, what, newest.reason)
    older = incident.newest is not None and newest.evaluated_at < incident.newest.evaluated_at
    return noted if older else replace(noted, newest=newest)


def settled(
    incident: Incident, state: State, reason: str, run_id: str, now: datetime, *, until: datetime | None = None
) -> Incident:
    """Return the incident after its run ended as `state`; gated, a person has `until` then to rule on it.

    Open, the run was cancelled: the attempt does not count, and it is for others than the clock to begin the next.

    Raises:
        Conflict: no run was in flight.
    """
    if not incident.working or state in {State.RETRAINING, State.CLOSED}:
        raise Conflict(f"incident {incident.id} is {incident.state}, it cannot become {state}")
    stopped = state is State.OPEN
    waits = Waiting(reason, now, until, _severity(incident), person=stopped)
    waiting = waits if state in {*WAITING, State.GATED} else None
    asked = until if state is State.GATED else None
    # What the old model showed in the meantime counts as long as no other has taken its place.
    well = () if state is State.DEPLOYED else incident.well
    following = replace(incident, state=state, changed_at=now, waiting=waiting, well=well, asked_until=asked)
    if stopped:
        following = replace(following, cancelled=(*incident.cancelled, incident.attempt))
    more = {"until": to_text(until)} if asked and until else {}
    return _told(following, now, "cancelled" if stopped else str(state), reason=reason, run=run_id, **more)


def ruled(incident: Incident, state: State, reason: str, by: str, now: datetime) -> Incident:
    """Return a gated incident after a person's word on the deployment. Raises Conflict if nothing was asked."""
    if incident.state is not State.GATED or state not in {State.DEPLOYED, State.ROLLOUT, State.REFUSED}:
        raise Conflict(f"incident {incident.id} is {incident.state}, there is no deployment to rule on")
    waiting = Waiting(reason, now, severity=_severity(incident)) if state in WAITING else None
    well = () if state is State.DEPLOYED else incident.well
    following = replace(incident, state=state, changed_at=now, waiting=waiting, well=well, asked_until=None)
    return _told(following, now, str(state), reason=reason, by=by)


def rolled_back(incident: Incident, to: str, reason: str, now: datetime) -> Incident:
    """Return the incident after its deployed model was taken back. Raises Conflict unless one was deployed."""
    if incident.state is not State.DEPLOYED:
        raise Conflict(f"incident {incident.id} is {incident.state}, nothing can be rolled back")
    waiting = Waiting(reason, now, severity=_severity(incident))
    following = replace(incident, state=State.FAILED, changed_at=now, waiting=waiting, well=())
    return _told(following, now, "rolled_back", reason=reason, to=to)


def taken_back(incident: Incident, to: str, reason: str, now: datetime) -> Incident:
    """Return the incident after the rollout of its model failed; one whose next attempt waits already only notes it.

    Raises:
        Conflict: nothing of it is being rolled out.
    """
    _check_rolled_out(incident)
    if incident.state not in WAITING:
        # The windows in which the old model was well count: it served some all the time, and serves all again.
        waiting = Waiting(reason, now, severity=_severity(incident))
        incident = replace(incident, state=State.FAILED, changed_at=now, waiting=waiting)
    return _told(incident, now, "rolled_back", reason=reason, to=to)


def rolled_out(incident: Incident, what: str, reason: str, now: datetime) -> Incident:
    """Return the incident with a step of its model's rollout noted; one that was handed to a person for it goes on.

    Raises:
        Conflict: nothing of it is being rolled out.
    """
    _check_rolled_out(incident)
    if incident.state is State.ESCALATED:
        incident = replace(incident, state=State.ROLLOUT, changed_at=now)
    return _told(incident, now, what, reason=reason)


def promoted(incident: Incident, reason: str, by: str, now: datetime) -> Incident:
    """Return the incident after a person ended its model's rollout by putting it into production wholly.

    Raises:
        Conflict: nothing of it is being rolled out.
    """
    _check_rolled_out(incident)
    following = replace(incident, state=State.DEPLOYED, changed_at=now, waiting=None, well=(), asked_until=None)
    return _told(following, now, "deployed", reason=reason, **({"by": by} if by else {}))


def _check_rolled_out(incident: Incident) -> None:
    if incident.state not in _ROLLED_OUT:
        raise Conflict(f"incident {incident.id} is {incident.state}, nothing is being rolled out")


def approved(incident: Incident, by: str, now: datetime, reason: str = "") -> Incident:
    """Return the incident with its next attempt approved. Raises Conflict if none waits."""
    if incident.state not in WAITING:
        raise Conflict(f"incident {incident.id} is {incident.state}, no run waits to be approved")
    waiting = replace(incident.waiting, until=None) if incident.waiting else None
    following = replace(incident, approved=incident.attempt + 1, approved_by=by, waiting=waiting)
    more = {"reason": reason} if reason else {}
    return _told(following, now, "approved", by=by, attempt=following.approved, **more)


def retried(incident: Incident, by: str, reason: str, now: datetime) -> Incident:
    """Return the incident with another attempt asked for by a person: neither limit nor back-off holds it.

    Raises:
        Conflict: a run is in flight, a deployment is to be ruled on, or there is nothing that was not mended.
    """
    if incident.state not in {*WAITING, State.ESCALATED}:
        raise Conflict(f"incident {incident.id} is {incident.state}, there is nothing to try again")
    attempt = incident.attempt + 1
    waiting = Waiting(f"{by} asked for attempt {attempt}: {reason}", now, severity=_severity(incident))
    state = State.OPEN if incident.state is State.ESCALATED else incident.state
    following = replace(
        incident,
        state=state,
        changed_at=now,
        waiting=waiting,
        granted=attempt,
        approved=attempt,
        approved_by=by,
        asked_until=None,
    )
    return _told(following, now, "retry", by=by, reason=reason, attempt=attempt)


def looked_at_again(incident: Incident) -> Incident:
    """Return the incident without the time that a guard had set: the guard may be gone. A back-off stays."""
    waiting = incident.waiting
    if incident.state not in WAITING or waiting is None or not waiting.policy:
        return incident
    return replace(incident, waiting=replace(waiting, until=None))


def asked(incident: Incident, until: datetime) -> Incident:
    """Return the incident with a person asked to approve its next attempt."""
    return replace(incident, asked_until=until)


def escalated(incident: Incident, reason: str, now: datetime, *, by: str = "") -> Incident:
    """Return the incident handed to a person. Raises Conflict if a run is in flight or it is closed."""
    if incident.state in {State.RETRAINING, State.GATED, State.CLOSED}:
        raise Conflict(f"incident {incident.id} is {incident.state}, it cannot be escalated")
    following = replace(incident, state=State.ESCALATED, changed_at=now, waiting=None, asked_until=None)
    return _told(following, now, "escalated", reason=reason, **({"by": by} if by else {}))


def well(incident: Incident, window: str, needed: int, newest: Newest, now: datetime) -> Incident:
    """Return the incident after an evaluation found the model well: closed once that many windows did.

    One whose run is in flight, waits at the gate or is rolled out only notes it. Raises Conflict if it is closed.
    """
    noted = attached(incident, newest, now)
    windows = tuple(dict.fromkeys((*incident.well, window)))
    noted = replace(noted, well=windows)
    if incident.state in BUSY or len(windows) < needed:
        return noted
    return closed(noted, newest.reason, now)


def unrecovered(incident: Incident, newest: Newest, now: datetime) -> Incident:
    """Return the incident after an evaluation found a model well, but not as well as before the incident.

    Raises:
        Conflict: it is closed.
    """
    return unwell(attached(incident, newest, now, "unrecovered"))


def unwell(incident: Incident) -> Incident:
    """Return the incident with the windows in which the model was well forgotten."""
    return replace(incident, well=()) if incident.well else incident


def closed(incident: Incident, reason: str, now: datetime, *, by: str = "") -> Incident:
    """Return the incident closed. Raises Conflict if a run is in flight, or it is closed already."""
    if incident.state in {State.RETRAINING, State.GATED, State.CLOSED}:
        raise Conflict(f"incident {incident.id} is {incident.state}, it cannot be closed now")
    more = {"by": by} if by else {}
    following = replace(incident, state=State.CLOSED, changed_at=now, waiting=None, asked_until=None)
    return _told(following, now, "closed", reason=reason, **more)


def _severity(incident: Incident) -> int:
    return incident.newest.severity if incident.newest else 0


def _checked(checks: Checks) -> dict[str, Any]:
    return {"checks": [dict(check) for check in checks]} if checks else {}


def _noted(incident: Incident, now: datetime, what: str, reason: str) -> Incident:
    if incident.state is State.CLOSED:
        raise Conflict(f"incident {incident.id} is closed, nothing more happens to it")
    # Notes can be many, changes of state are few: a long story loses only notes.
    return incident if len(incident.story) >= MAX_STORY else _told(incident, now, what, reason=reason)


def _told(incident: Incident, now: datetime, what: str, **details: Any) -> Incident:
    return replace(incident, story=(*incident.story, {"at": to_text(now), "what": what, **details}))

"""A rollout's states and the only ways between them; time and evidence are arguments, nothing is read or written.

running ─┬─(worse)────────────────────────────→ rolled_back    at once, from any step, held or not
         ├─(time, outcomes, not worse)──→ running, the next step; after the last → verified
         ├─(no such evidence within the limit)→ held ──(the evidence comes)──→ running, or verified
         └─(a person)→ promoted | stopped;  (production was changed beside it)→ superseded
Nothing leaves the last five. What is served follows from the state alone, so that its shares always sum to 100.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from worker.clock import to_text
from worker.duration import duration_text
from worker.errors import Conflict, Rejected
from worker.evidence.verdict import Verdict, verdict
from worker.models.traffic import PERCENT, Traffic, all_to
from worker.rollout.evidence import Compared, Evidence
from worker.rollout.measure import Measure
from worker.rollout_plan import GuardMetric, RolloutSpec, RolloutStep

#: Windows that events told, by version and window; what one is, is the business of `told`.
Windows = Mapping[str, Mapping[str, Mapping[str, Any]]]


class State(StrEnum):
    """Where a rollout stands.

    `verified` and `rolled_back` are what evidence concludes; `promoted` (ahead of the evidence) and `stopped` (the
    champion stays) what a person does; `superseded`: production was changed beside it.
    """

    RUNNING = "running"
    HELD = "held"
    VERIFIED = "verified"
    ROLLED_BACK = "rolled_back"
    PROMOTED = "promoted"
    STOPPED = "stopped"
    SUPERSEDED = "superseded"


#: States in which the rollout has a say in the traffic.
ACTIVE = frozenset({State.RUNNING, State.HELD})
#: Those in which the challenger has become the champion.
WON = frozenset({State.VERIFIED, State.PROMOTED})
#: What a person may make of one that is under way.
BY_HAND = frozenset({State.PROMOTED, State.STOPPED, State.SUPERSEDED})


class Move(StrEnum):
    """What a look concludes."""

    WAIT = "wait"
    ADVANCE = "advance"
    VERIFY = "verify"
    ROLL_BACK = "roll_back"
    HOLD = "hold"


@dataclass(frozen=True)
class Conclusion:
    """A move, and the sentence to it."""

    move: Move
    reason: str


@dataclass(frozen=True)
class Rollout:
    """One version on its way into production.

    Attributes:
        version, champion: the challenger, and what it is to replace.
        epoch: of the newest change of what is served that this rollout made: another one supersedes it.
        primary: what is compared.
        step, step_at: which step of the plan (0 for the first), and since when.
        gate_passed, forced: why it may be served at all; `forced` is the reason of the operator who forced it.
        run, incident: where it comes from; None for a promotion by hand.
        reason: the sentence to the newest change.
        windows: what events of both versions told, by version and window.
        newest: the newest evidence that was looked at.
        story: what happened, oldest first: {at, what, reason, …numbers}.
    """

    id: str
    bee: str
    version: str
    champion: str
    epoch: int
    plan: RolloutSpec
    primary: Measure
    started_at: datetime
    step_at: datetime
    changed_at: datetime
    state: State = State.RUNNING
    step: int = 0
    gate_passed: bool = True
    forced: str | None = None
    run: str | None = None
    incident: str | None = None
    reason: str = ""
    windows: Windows = field(default_factory=dict)
    newest: Evidence | None = None
    story: tuple[Mapping[str, Any], ...] = ()

    @property
    def active(self) -> bool:
        """Whether it has a say in the traffic."""
        return self.state in ACTIVE

    @property
    def at_step(self) -> RolloutStep:
        """The step that it is at."""
        return self.plan.planned[self.step]

    @property
    def percent(self) -> int:
        """How much of the traffic the challenger serves."""
        if self.active:
            return self.at_step.percent
        return PERCENT if self.state in WON else 0

    @property
    def traffic(self) -> Traffic:
        """Who is served by what, as far as this rollout goes; a version without a share is scored beside the other."""
        if not self.active:
            return all_to(self.version if self.state in WON else self.champion)
        split = ((self.version, self.percent), (self.champion, PERCENT - self.percent))
        return Traffic(split, self.id, tuple(version for version, share in split if not share))


def rollout_id(bee: str, version: str, epoch: int) -> str:
    """Return the id: the same version onto the same state of production is the same rollout."""
    return hashlib.sha256(f"rollout\n{bee}\n{version}\n{epoch}".encode()).hexdigest()[:24]


def begun(rollout: Rollout, reason: str) -> Rollout:
    """Return a new rollout at its first step.

    Raises:
        Rejected: the version has not passed its gate and nobody forced it, or the plan has no steps.
        Conflict: the version is the champion itself.
    """
    if not rollout.gate_passed and not rollout.forced:
        raise Rejected(
            f"version {rollout.version} of {rollout.bee} has not passed its gate",
            field="version",
            mend="promote another, or use --force, which is recorded",
        )
    if not rollout.plan.planned:
        raise Rejected("an immediate deployment has no steps", field="strategy", mend="choose canary")
    if rollout.version == rollout.champion:
        raise Conflict(f"version {rollout.version} of {rollout.bee} is in production already")
    said = f"{reason}; {_at_step(rollout)}"
    return _told(replace(rollout, reason=said), rollout.started_at, "started", percent=rollout.percent)


def concluded(rollout: Rollout, evidence: Evidence, *, paused: str = "") -> Conclusion:
    """Return what evidence says of a rollout; `paused` tells who holds everything back, then no step is advanced."""
    if not rollout.active or evidence.rollout != rollout.id:
        return Conclusion(Move.WAIT, f"the rollout of version {rollout.version} is {rollout.state}")
    worse = _worse(rollout, evidence)
    if worse:
        return Conclusion(Move.ROLL_BACK, worse)
    if evidence.step != rollout.step:
        return Conclusion(Move.WAIT, "the evidence is of an earlier step")
    lacking = _lacking(rollout, evidence)
    said = "; ".join([evidence.primary.words(), *_guards_said(rollout, evidence)])
    if not lacking and paused:
        return Conclusion(Move.WAIT, f"all is well, but {paused}")
    if not lacking:
        last = rollout.step + 1 == len(rollout.plan.planned)
        return Conclusion(Move.VERIFY if last else Move.ADVANCE, f"not worse: {said}")
    why = "; ".join(lacking)
    if rollout.state is State.RUNNING and evidence.as_of - rollout.step_at >= rollout.plan.limit:
        limit = duration_text(rollout.plan.limit)
        return Conclusion(Move.HOLD, f"no evidence within {limit} that version {rollout.version} is not worse: {why}")
    return Conclusion(Move.WAIT, why)


def looked(rollout: Rollout, evidence: Evidence, *, paused: str = "") -> tuple[Rollout, Conclusion]:
    """Return the rollout after a look at evidence; the same look again, or an older one, changes nothing more."""
    found = concluded(rollout, evidence, paused=paused)
    if not rollout.active or evidence.rollout != rollout.id:
        return rollout, found
    seen = rollout
    if rollout.newest is None or evidence.as_of >= rollout.newest.as_of:
        seen = replace(rollout, newest=evidence)
    at = max(evidence.as_of, rollout.step_at)
    match found.move:
        case Move.WAIT:
            return seen, found
        case Move.ADVANCE:
            state, step, what = State.RUNNING, rollout.step + 1, "advanced"
        case Move.HOLD:
            state, step, what = State.HELD, rollout.step, "held"
        case Move.VERIFY:
            state, step, what = State.VERIFIED, rollout.step, "verified"
        case Move.ROLL_BACK:
            state, step, what = State.ROLLED_BACK, rollout.step, "rolled_back"
    step_at = at if step != rollout.step else rollout.step_at
    after = replace(seen, state=state, step=step, step_at=step_at, changed_at=at)
    said = f"{found.reason}; {_at_step(after)}" if found.move is Move.ADVANCE else found.reason
    numbers = {"numbers": evidence.primary.printed(), "outcomes": evidence.step_outcomes}
    return _told(replace(after, reason=said), at, what, percent=after.percent, **numbers), found


def ended_by_hand(rollout: Rollout, state: State, reason: str, now: datetime) -> Rollout:
    """Return the rollout after a person ended it, or production was changed beside it.

    Raises:
        Conflict: it is over already.
    """
    if not rollout.active or state not in BY_HAND:
        raise Conflict(f"the rollout of version {rollout.version} of {rollout.bee} is {rollout.state}")
    after = replace(rollout, state=state, changed_at=max(now, rollout.step_at), reason=reason)
    return _told(after, after.changed_at, str(state), percent=after.percent)


def _worse(rollout: Rollout, evidence: Evidence) -> str:
    """Return in words what is proven worse; empty if nothing is."""
    primary, plan = evidence.primary, rollout.plan
    # An interval that is right for many rows only is not believed before the step's own minimum.
    enough = primary.count >= (rollout.at_step.min_outcomes if primary.asymptotic else 1)
    if primary.known and enough and verdict(primary.interval, plan.margin) is Verdict.WORSE:
        return f"worse: {primary.words()}"
    for name, guard in plan.guards.items():
        found = evidence.guards.get(name)
        if found is not None and _guarded(guard, found) is Verdict.WORSE:
            return f"the guard {name} is worse: {found.words()}"
    return ""


def _guarded(guard: GuardMetric, found: Compared) -> Verdict | None:
    """Return what a guard's evidence proves; None where it is too little to prove anything."""
    if not found.known or found.count < guard.min_samples:
        return None
    if not guard.relative:
        return verdict(found.interval, guard.margin)
    return None if found.champion is None else verdict(found.interval, guard.margin * abs(found.champion))


def _lacking(rollout: Rollout, evidence: Evidence) -> list[str]:
    """Return in words what the step still lacks to be advanced."""
    step, primary, plan = rollout.at_step, evidence.primary, rollout.plan
    found = []
    if evidence.as_of - rollout.step_at < step.min_time:
        found.append(f"it lasts until {to_text(rollout.step_at + step.min_time)} at least")
    if evidence.step_outcomes < step.min_outcomes:
        found.append(f"{evidence.step_outcomes} of {step.min_outcomes} outcomes are in")
    if not primary.known or verdict(primary.interval, plan.margin) in {Verdict.OPEN, Verdict.WORSE}:
        found.append(f"it is not proven yet that it is not worse by {plan.margin:g}: {primary.words()}")
    for name, guard in plan.guards.items():
        compared = evidence.guards.get(name) or Compared(name)
        judged = _guarded(guard, compared)
        if judged is None and guard.required:
            found.append(f"the guard {name} has {compared.count} of {guard.min_samples} samples: {compared.words()}")
        elif judged is not None and judged not in {Verdict.BETTER, Verdict.NOT_WORSE}:
            found.append(f"the guard {name} is not proven to be well: {compared.words()}")
    return found


def _guards_said(rollout: Rollout, evidence: Evidence) -> list[str]:
    known = (evidence.guards.get(name) for name in rollout.plan.guards)
    return [guard.words() for guard in known if guard is not None and guard.known]


def _at_step(rollout: Rollout) -> str:
    of = len(rollout.plan.planned)
    if not rollout.percent:
        return f"step {rollout.step + 1} of {of}: it is scored beside version {rollout.champion}, and serves nobody"
    return f"step {rollout.step + 1} of {of}: it serves {rollout.percent} % of the traffic"


def _told(rollout: Rollout, at: datetime, what: str, **details: Any) -> Rollout:
    entry = {"at": to_text(at), "what": what, "step": rollout.step + 1, "reason": rollout.reason, **details}
    return replace(rollout, story=(*rollout.story, entry))

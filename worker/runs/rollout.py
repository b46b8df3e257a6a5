"""Begin a rollout, do what a look concludes, end it by hand; in the caller's transaction, the bee's lock held.

All of a step is one transaction: what is served, the versions' states, the run, the incident and the events. The newest
change of what is served is the rollout's own as long as its epoch is; another one means that production was changed
beside it, and nothing that was found counts any more.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from worker.bee import BeeSpec
from worker.decide import rollouts
from worker.decide.course import Course, Situation
from worker.decide.policy import Policy
from worker.errors import Conflict
from worker.incidents import machine as incidents
from worker.ledger import Ledger, Transaction
from worker.models.port import Deployment, ModelVersion
from worker.models.trials import TrialKind
from worker.rollout import machine
from worker.rollout.encoding import decoded, encoded
from worker.rollout.evidence import Evidence
from worker.rollout.machine import WON, Conclusion, Move, Rollout, State
from worker.rollout.measure import measure_of
from worker.rollout_plan import RolloutSpec
from worker.runs import rollout_events as tell
from worker.runs.follow import Around, follow
from worker.runs.follow import look as look_at
from worker.runs.lifecycle import Verdict
from worker.runs.trial import let_go, rollout_of, under_way

active = rollout_of


@dataclass(frozen=True)
class Looked:
    """The rollout after a look, and what was concluded."""

    rollout: Rollout
    conclusion: Conclusion


def begin(  # noqa: PLR0913 - what is rolled out, how, and where it comes from
    version: ModelVersion,
    bee: BeeSpec,
    plan: RolloutSpec,
    transaction: Transaction,
    now: datetime,
    *,
    reason: str,
    run: str | None = None,
    incident: str | None = None,
    forced: str | None = None,
    by: str = "",
) -> Rollout:
    """Begin to put a version into production step by step.

    Args:
        version: it passed its gate, or is forced past it.
        bee: its spec.
        plan: with steps.
        transaction: the open one.
        now: the time.
        reason: why, in words.
        run: that made it.
        incident: that it is to end.
        forced: the reason of an operator who forces it past its gate, which is recorded.
        by: the operator, where it was one.

    Raises:
        Rejected: the gate was not passed and nobody forced it, or the plan cannot be followed.
        Conflict: it is the champion, there is none yet, or something is being tried already.
    """
    champion = transaction.models.champion(bee.bee)
    if champion is None:
        raise Conflict(f"{bee.bee} has no model in production that version {version.version} could be compared with")
    busy = under_way(transaction, bee.bee)
    if busy:
        raise Conflict(f"{busy}: end that first")
    rollout = Rollout(
        id=machine.rollout_id(bee.bee, version.version, champion.epoch),
        bee=bee.bee,
        version=version.version,
        champion=champion.version,
        epoch=champion.epoch + 1,
        plan=plan,
        primary=measure_of(bee, plan),
        started_at=now,
        step_at=now,
        changed_at=now,
        gate_passed=version.gate_passed,
        forced=forced,
        run=run,
        incident=incident,
    )
    begun = machine.begun(rollout, reason)
    _serve(begun, champion, transaction, now, by)
    transaction.models.set_state(bee.bee, version.version, "challenger", forced=forced)
    transaction.trials.save(encoded(begun))
    tell.tell_started(begun, transaction, now)
    return begun


def look(
    bee: BeeSpec,
    policy: Policy,
    transaction: Transaction,
    evidence: Evidence,
    now: datetime,
    around: Around | None = None,
) -> Looked | None:
    """Let a bee's rollout conclude from evidence; the same again, late, or of another rollout changes nothing.

    Args:
        bee: its spec.
        policy: of the whole colony.
        transaction: the open one.
        evidence: made for this rollout as it stood.
        now: the time.
        around: what counts when the incident goes on.

    Returns:
        What became of it; None if that rollout is not under way.
    """
    rollout = rollout_of(transaction, bee.bee)
    if rollout is None or rollout.id != evidence.rollout:
        return None
    champion = transaction.models.champion(bee.bee)
    if champion is None or champion.epoch != rollout.epoch:
        ended = _superseded(rollout, bee, policy, transaction, now)
        return Looked(ended, Conclusion(Move.WAIT, ended.reason))
    after, conclusion = machine.looked(rollout, evidence, paused=_paused(bee, transaction, now))
    if after == rollout:
        return Looked(rollout, conclusion)
    if conclusion.move is not Move.WAIT:
        after = _Taking(bee, policy, transaction, now, around).take_on(after, champion, conclusion)
    transaction.trials.save(encoded(after))
    return Looked(after, conclusion)


def end_by_hand(  # noqa: PLR0913 - whose, how, why and by whom
    bee: BeeSpec | None,
    policy: Policy,
    transaction: Transaction,
    state: State,
    now: datetime,
    *,
    bee_id: str,
    reason: str,
    by: str = "",
) -> Rollout:
    """End a bee's rollout by a person's word: put its version wholly into production, or stop it.

    Args:
        bee: its spec; None if it is not configured any more.
        policy: of the whole colony.
        transaction: the open one.
        state: PROMOTED or STOPPED.
        now: the time.
        bee_id: whose.
        reason: of the person.
        by: their name, where it is known.

    Raises:
        Conflict: none is under way, or production was changed beside it.
    """
    rollout = rollout_of(transaction, bee_id)
    champion = transaction.models.champion(bee_id)
    if rollout is None or champion is None or champion.epoch != rollout.epoch:
        raise Conflict(f"no rollout of {bee_id} is under way")
    who = f" by {by}" if by else " by hand"
    said = f"{'put into production' if state is State.PROMOTED else 'stopped'}{who}: {reason}"
    after = machine.ended_by_hand(rollout, state, said, now)
    after = _serve(after, champion, transaction, now, by or None)
    _conclude(after, champion, transaction, now)
    if bee is not None:
        _Taking(bee, policy, transaction, now).incident(after, by)
    else:
        _without_bee(after, by, transaction, now)
    transaction.trials.save(encoded(after))
    return after


def retire(ledger: Ledger, now: datetime) -> list[tuple[str, str]]:
    """Let predecessors go whose time to be gone back to is over; return their bees and versions. Raises TryLater."""
    with ledger.begin(write=False) as transaction:
        over = [
            (bee, version) for bee, version in transaction.models.kept() if _is_over(transaction, bee, version, now)
        ]
    for bee, version in over:
        with ledger.begin() as transaction:
            transaction.lock([bee])
            # Somebody may have gone back to it meanwhile.
            if (bee, version) in transaction.models.kept():
                transaction.models.set_state(bee, version, "retired")
    return over


def _is_over(transaction: Transaction, bee: str, version: str, now: datetime) -> bool:
    """Tell whether the hold of a version is over; one that no rollout has replaced has none."""
    ended = (decoded(one) for one in transaction.trials.list(bee, TrialKind.ROLLOUT, active=False))
    won = (one for one in ended if one.state in WON and one.champion == version)
    return now >= max((one.changed_at + one.plan.hold for one in won), default=now)


@dataclass(frozen=True)
class _Taking:
    """What a rollout's change is taken on with."""

    bee: BeeSpec
    policy: Policy
    transaction: Transaction
    now: datetime
    around: Around | None = None

    def take_on(self, after: Rollout, champion: Deployment, conclusion: Conclusion) -> Rollout:
        """Do what a look concluded, and return the rollout as it stands then."""
        transaction, now = self.transaction, self.now
        if conclusion.move is not Move.HOLD:
            after = _serve(after, champion, transaction, now)
        if conclusion.move is Move.ADVANCE:
            tell.tell_advanced(after, transaction, now)
        elif conclusion.move is Move.HOLD:
            tell.tell_held(after, transaction, now)
        else:
            _conclude(after, champion, transaction, now)
        self.incident(after, "")
        return after

    def incident(self, after: Rollout, by: str) -> None:
        """Take the rollout's incident on; a rollout of none that needs a person tells so itself."""
        if after.incident is None:
            if after.state is State.HELD:
                tell.tell_escalated(after, self.transaction, self.now)
            return
        before, situation = look_at(
            self.bee, self.policy, self.transaction, self.now, whole=True, around=self.around or Around()
        )
        course = _went_on(before, situation, after, by)
        if course is before and after.state is State.HELD:
            tell.tell_escalated(after, self.transaction, self.now)
        follow(before, course, (), situation, self.transaction)


def _without_bee(rollout: Rollout, by: str, transaction: Transaction, now: datetime) -> None:
    """Take the incident of a bee on that is not configured any more: no policy says how it goes on."""
    incident = transaction.incidents.get(rollout.incident) if rollout.incident else None
    if incident is None or incident.state is not incidents.State.ROLLOUT:
        return
    if rollout.state in WON:
        transaction.incidents.save(incidents.promoted(incident, rollout.reason, by, now))
    else:
        transaction.incidents.save(incidents.taken_back(incident, rollout.champion, rollout.reason, now))


def _went_on(course: Course, situation: Situation, rollout: Rollout, by: str) -> Course:
    """Return the bee's course after a change of its rollout."""
    incident, reason = rollout.incident, rollout.reason
    match rollout.state:
        case State.RUNNING:
            return rollouts.advanced(course, incident, reason, situation.now)
        case State.HELD:
            return rollouts.held(course, incident, reason, situation.now)
        case State.VERIFIED:
            return rollouts.verified(course, situation, incident, f"verified in production, {reason}")
        case State.PROMOTED:
            return rollouts.promoted(course, situation, incident, reason, by)
        case _:
            return rollouts.taken_back(course, situation, incident, rollout.champion, reason)


def _serve(
    rollout: Rollout, champion: Deployment, transaction: Transaction, now: datetime, by: str | None = None
) -> Rollout:
    """Write down what is served from now on, and return the rollout with that change's epoch."""
    won = rollout.state in WON
    change = Deployment(
        bee=rollout.bee,
        epoch=champion.epoch + 1,
        version=rollout.version if won else champion.version,
        previous=champion.version if won else champion.previous,
        at=now,
        reason=rollout.reason,
        run_id=rollout.run,
        divided=rollout.traffic if rollout.active else None,
        by=by,
        numbers={} if rollout.newest is None else rollout.newest.primary.printed(),
    )
    transaction.models.deploy(change)
    return replace(rollout, epoch=change.epoch)


def _conclude(rollout: Rollout, champion: Deployment, transaction: Transaction, now: datetime) -> None:
    """Give both versions and the run what a rollout's end makes of them, and tell of it."""
    models = transaction.models
    if rollout.state in WON:
        models.set_state(rollout.bee, rollout.version, "deployed")
        if not rollout.plan.hold:
            models.set_state(rollout.bee, champion.version, "retired")
        _rule(rollout, Verdict.DEPLOYED, transaction)
        tell.tell_deployed(rollout, transaction, now)
        return
    refused = rollout.state is State.ROLLED_BACK
    let_go(transaction, rollout.bee, rollout.version, "refused" if refused else "registered")
    _rule(rollout, Verdict.REJECTED if refused else Verdict.SUPERSEDED, transaction)
    tell.tell_rolled_back(rollout, transaction, now)


def _rule(rollout: Rollout, verdict: Verdict, transaction: Transaction) -> None:
    """Say of the run that made the version what became of it."""
    run = transaction.runs.get(rollout.run) if rollout.run else None
    if run is not None and run.verdict is Verdict.ROLLOUT:
        transaction.runs.save(replace(run, verdict=verdict, transition=run.transition + 1))


def _superseded(
    rollout: Rollout, bee: BeeSpec | None, policy: Policy, transaction: Transaction, now: datetime
) -> Rollout:
    """End a rollout beside which production was changed, and return it."""
    champion = transaction.models.champion(rollout.bee)
    live = f"version {champion.version} ({champion.reason})" if champion else "nothing"
    after = machine.ended_by_hand(
        rollout, State.SUPERSEDED, f"production was changed beside the rollout, to {live}", now
    )
    let_go(transaction, rollout.bee, rollout.version, "registered")
    _rule(after, Verdict.SUPERSEDED, transaction)
    if bee is not None:
        _Taking(bee, policy, transaction, now).incident(after, "")
    transaction.trials.save(encoded(after))
    return after


def _paused(bee: BeeSpec, transaction: Transaction, now: datetime) -> str:
    """Return who holds everything of a bee back; empty if nobody does."""
    own, all_of_them = transaction.memories.of(bee.bee).pause, transaction.memories.colony().pause
    for pause, what in ((own, f"{bee.bee} is paused"), (all_of_them, "the whole colony is paused")):
        if pause is not None and pause.holds(now):
            return f"{what} by {pause.by} ({pause.reason})"
    return ""

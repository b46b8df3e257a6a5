"""Do what was concluded, in one transaction: the run that begins, the version that goes back, and the events."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from worker.bee import BeeSpec
from worker.clock import to_text
from worker.decide.course import (
    AskPerson,
    Begin,
    Course,
    Effect,
    OverBudget,
    RollBack,
    Situation,
    as_of_now,
    fair_order,
    learned_until,
)
from worker.decide.memory import ColonyMemory
from worker.decide.policy import Policy
from worker.errors import Conflict
from worker.frozen import made
from worker.incidents.machine import WAITING, Incident, State
from worker.ledger import Transaction
from worker.models.port import Deployment
from worker.monitor.finding import OpenFinding
from worker.runs.estimates import Typical, estimated, no_typical
from worker.runs.lifecycle import Run, run_id
from worker.runs.noteworthy import tell_breakers, tell_budget
from worker.runs.questions import ask_run, withdraw
from worker.runs.request import request_run
from worker.runs.trial import supersede, under_way

#: Returns how many of a bee's labels became known after a time and by another; None if that cannot be told now.
NewLabels = Callable[[BeeSpec, datetime, datetime], int | None]

_NO_COLONY = ColonyMemory()
_TOLD = {State.ESCALATED: "incident.escalated", State.CLOSED: "incident.closed"}


@dataclass(frozen=True)
class Around:
    """What *look* asks beside the ledger.

    Attributes:
        known: the bees that are configured: only they can begin a run, so only they can go before another.
        new_labels: counts them; by default nobody knows.
        typical: tells what a run will cost of which nothing is known.
    """

    known: Collection[str] = field(default_factory=tuple)
    new_labels: NewLabels = lambda _bee, _since, _until: None
    typical: Typical = no_typical


def look(
    bee: BeeSpec,
    policy: Policy,
    transaction: Transaction,
    now: datetime,
    *,
    whole: bool,
    around: Around | None = None,
) -> tuple[Course, Situation]:
    """Read a bee's course and what is around it, with the bee's lock held.

    Args:
        bee: its spec.
        policy: of the whole colony.
        transaction: the open one.
        now: the time.
        whole: with what only counts when a run is to begin: the colony's memory, whose lock is taken, the runs in
            flight and the cost. Without it a conclusion that asks for a run is to be reached again.
        around: the rest of what counts then.
    """
    own = policy.of(bee.bee)
    colony = transaction.memories.colony(lock=True) if whole else _NO_COLONY
    name = bee.bee
    memory, incident = transaction.memories.of(name), transaction.incidents.open_for(name)
    course = made(Course, {"memory": memory, "colony": colony, "incident": incident})
    active = transaction.runs.in_flight(name)
    around_it = {"bee": bee, "policy": own, "now": now, "active_run": active.id if active else None}
    situation = made(Situation, around_it)
    if whole:
        situation = _whole(course, situation, transaction, around or Around())
    return course, situation


def _whole(course: Course, situation: Situation, transaction: Transaction, around: Around) -> Situation:
    bee, now = situation.bee, situation.now
    cost = estimated(bee, bee.pipeline, transaction, around.typical)
    in_flight = transaction.runs.incidents_in_flight()
    found = replace(situation, in_flight=in_flight, estimate=_decimal(cost.amount), estimated=cost.basis)
    champion = transaction.models.champion(bee.bee)
    if champion is not None and champion.divided is not None:
        found = replace(found, trial=under_way(transaction, bee.bee))
    incident, since = course.incident, learned_until(course)
    if incident is not None and since is not None and incident.state in {*WAITING, State.DEPLOYED}:
        found = replace(found, new_labels=around.new_labels(bee, since, as_of_now(incident, now)))
    if situation.policy.features.hold:
        found = replace(found, findings=findings_of(bee, situation.policy, transaction))
    limit = situation.policy.colony.runs
    if limit is not None and in_flight < limit and around.known:
        found = replace(found, ahead=_ahead(course, situation, transaction, around.known))
    return found


def findings_of(bee: BeeSpec, policy: Policy, transaction: Transaction) -> tuple[OpenFinding, ...]:
    """Return what is wrong with what the bee's rows are made of, its label aside; nothing where no policy asks."""
    if not policy.features.hold:
        return ()
    reads = (*bee.features, *bee.entities.values())
    return tuple(
        OpenFinding(one.feature, finding.kind, finding.words, one.since)
        for one in transaction.features.open_findings()
        for finding in one.of(bee.bee, reads)
    )


def _decimal(amount: float | None) -> Decimal | None:
    return None if amount is None else Decimal(str(round(amount, 6)))


def _ahead(course: Course, situation: Situation, transaction: Transaction, known: Collection[str]) -> int:
    """Return how many other bees wait for nothing but room and go before this one."""
    bee, now = situation.bee.bee, situation.now
    queue = [one for one in transaction.incidents.unfinished() if one.waiting and one.waiting.room]
    others = [one for one in queue if one.bee in known and one.bee != bee]
    own = course.incident
    if own is None or own.waiting is None:
        return len(others)
    order = fair_order([*others, own], now, situation.policy.colony.starving)
    return next((place for place, one in enumerate(order) if one.bee == bee), len(others))


def follow(
    before: Course, after: Course, effects: tuple[Effect, ...], situation: Situation, transaction: Transaction
) -> Run | None:
    """Write down what changed and do what follows; return the run that begins, if one does.

    Raises:
        Conflict: the ledger says otherwise (another run, another champion); nothing of this may stand then.
    """
    now, bee = situation.now, situation.bee
    # Most memories change with every event: to compare them costs more than to write one that did not.
    if after.memory is not before.memory:
        transaction.memories.save(bee.bee, after.memory)
    if after.colony is not before.colony and after.colony != before.colony:
        transaction.memories.save_colony(after.colony)
    tell_breakers(before, after, bee.bee, transaction, now)
    if after.incident is not None and after.incident != before.incident:
        transaction.incidents.save(after.incident)
        _tell(before.incident, after.incident, transaction, now)
        if before.incident and before.incident.asked_until and not after.incident.asked_until:
            withdraw(before.incident, transaction, now)
    run = None
    for effect in effects:
        if isinstance(effect, Begin) and after.incident is not None:
            run = _begin(effect, after.incident, situation, transaction)
        elif isinstance(effect, RollBack):
            _roll_back(effect, situation, transaction)
        elif isinstance(effect, AskPerson) and after.incident is not None:
            ask_run(effect, after.incident, transaction, now)
        elif isinstance(effect, OverBudget):
            tell_budget(effect.guard, bee.bee, transaction, now)
    return run


def _begin(effect: Begin, incident: Incident, situation: Situation, transaction: Transaction) -> Run:
    bee = situation.bee
    run = Run(
        id=run_id(bee.pipeline, bee.bee, transaction.installation, incident.id, str(incident.attempt)),
        template=bee.pipeline,
        bee=bee.bee,
        trigger="drift",
        reason=effect.reason,
        as_of=effect.as_of,
        created_at=situation.now,
        incident_id=incident.id,
        attempt=incident.attempt,
        parameters={"beeId": bee.bee},
        estimate=None if effect.estimate is None else float(effect.estimate),
        estimate_basis=effect.estimated,
    )
    request_run(run, transaction, situation.now)
    return run


def _roll_back(effect: RollBack, situation: Situation, transaction: Transaction) -> None:
    bee, now = situation.bee.bee, situation.now
    champion = transaction.models.champion(bee)
    version = transaction.models.get(bee, effect.to)
    if champion is None or version is None or champion.version == effect.to:
        raise Conflict(f"{bee} cannot go back to version {effect.to}: production is {champion and champion.version}")
    transaction.models.deploy(
        Deployment(bee, champion.epoch + 1, effect.to, champion.version, now, effect.reason, None)
    )
    transaction.models.set_state(bee, champion.version, "retired")
    transaction.models.set_state(bee, effect.to, "deployed")
    supersede(transaction, bee, f"production went back to version {effect.to}: {effect.reason}", now)
    data = {
        "beeId": bee,
        "version": effect.to,
        "previous": champion.version,
        "reason": effect.reason,
        "rolledBackAt": to_text(now),
    }
    subject = f"{bee}/{effect.to}"
    transaction.outbox.add(bee, "model.rolled_back", subject, champion.epoch + 1, now, data)


def _tell(before: Incident | None, after: Incident, transaction: Transaction, now: datetime) -> None:
    """Tell of an incident that has opened, was escalated or closed; the story's length numbers the transitions."""
    data: Mapping[str, Any] = {
        "incidentId": after.id,
        "beeId": after.bee,
        "modelVersion": after.version,
        "attempts": after.attempt,
        "state": after.state.value,
        "reason": str(after.story[-1].get("reason", "")) if after.story else "",
    }
    if before is None or before.id != after.id:
        first = {**data, "reason": str(after.story[0].get("reason", ""))}
        transaction.outbox.add(after.bee, "incident.opened", after.id, 1, now, first)
    if after.state in _TOLD and (before is None or before.state is not after.state):
        transaction.outbox.add(after.bee, _TOLD[after.state], after.id, len(after.story), now, data)

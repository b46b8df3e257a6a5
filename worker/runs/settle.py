"""Settle an ended run: re-judge the gate, register, and flip the champion by compare-and-swap, in one transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from worker.bee import BeeSpec
from worker.decide.course import Ending, ended
from worker.decide.policy import Approval, Policy
from worker.engine.state import Status
from worker.errors import Conflict, NotFound, Rejected
from worker.incidents import machine
from worker.incidents.machine import State
from worker.ledger import Ledger, Transaction
from worker.models.gate import judge
from worker.models.port import Artifact, ModelVersion
from worker.rollout_plan import RolloutSpec
from worker.runs.ab_test import begin as begin_test
from worker.runs.cost import Prices, cost_of, reckoned
from worker.runs.deploy import deploy, tell_registered, tell_verdict
from worker.runs.follow import follow, look
from worker.runs.lifecycle import Run, Verdict, concluded
from worker.runs.outcome import checked
from worker.runs.port import Lease
from worker.runs.questions import ask, deployment_question
from worker.runs.request import tell
from worker.runs.rollout import begin
from worker.runs.staging import plan_of, staged
from worker.runs.trial import same_champion, under_way


class Outcomes(Protocol):
    """Where runs leave their outcome."""

    def read(self, output_dir: str) -> Mapping[str, Any] | None:
        """Return `outcome.json`, None if there is none. Raises Rejected if it is broken, TryLater if unreachable."""
        ...


@dataclass(frozen=True)
class _Judged:
    verdict: Verdict
    reason: str
    register: bool = False
    gate_passed: bool = False
    until: datetime | None = None
    plan: RolloutSpec | None = None


@dataclass(frozen=True)
class Settler:
    """Turns outcomes into versions, deployments, incidents' progress and events."""

    ledger: Ledger
    outcomes: Outcomes
    bees: Callable[[], Mapping[str, BeeSpec]] = dict
    policy: Callable[[], Policy] = Policy
    prices: Prices = field(default_factory=Prices)

    def settle(self, lease: Lease, run: Run, now: datetime) -> None:
        """Settle an ended run, once.

        Raises:
            LeaseLost: another process took the run over.
            TryLater: the outcome or the ledger cannot be reached.
        """
        outcome, broken = self._outcome(run)
        with self.ledger.begin() as transaction:
            transaction.lock([run.bee])
            held = transaction.runs.hold(lease)
            if held.settled:
                return
            policy, found = self.policy(), cost_of(held, transaction.runs.steps(held.id), outcome, self.prices)
            cost = found.amount
            judged = _gated(_judge(held, outcome, broken, transaction), policy.of(run.bee).approval, cost, now)
            judged = _staged(judged, held, outcome, transaction)
            if judged.verdict is Verdict.COMPLETED and outcome and outcome.get("abTest"):
                judged, outcome = _tested(judged, held, outcome, transaction, now)
            done = reckoned(concluded(held, judged.verdict, outcome), found, outcome)
            version = _register(done, judged, outcome, transaction, now) if judged.register and outcome else None
            if version and judged.verdict is Verdict.DEPLOYED:
                deploy(version, done, judged.reason, transaction, now)
            transaction.runs.save(done)
            _tell(done, judged, version, transaction, now)
            if version and judged.plan:
                judged = _rolled_out(judged, version, done, judged.plan, transaction, now)
            _progress(done, judged, self.bees().get(run.bee), policy, transaction, now)
            if version and judged.until:
                _ask(done, version, policy.of(run.bee).approval, judged.until, transaction, now)

    def _outcome(self, run: Run) -> tuple[Mapping[str, Any] | None, str]:
        if not run.frozen or "outputDir" not in run.frozen:
            return None, "it was never launched"
        try:
            outcome = self.outcomes.read(str(run.frozen["outputDir"]))
            return None if outcome is None else checked(outcome), ""
        except Rejected as error:
            return None, str(error)


def _judge(run: Run, outcome: Mapping[str, Any] | None, broken: str, transaction: Transaction) -> _Judged:
    if run.cancel_requested or run.status is Status.CANCELLED:
        return _Judged(Verdict.CANCELLED, run.error or "cancelled")
    if run.status is not Status.SUCCEEDED:
        return _Judged(Verdict.FAILED, run.error or broken or "the engine gave no reason")
    if outcome is None or outcome.get("run") != run.id:
        return _Judged(Verdict.FAILED, f"the run succeeded without a usable outcome: {broken or 'there is none'}")
    if outcome.get("verdict") == "completed":
        return _Judged(Verdict.COMPLETED, str(outcome.get("reason") or "done; the template makes no model"))
    if not outcome.get("challenger"):
        return _Judged(Verdict.REJECTED, str(outcome.get("reason") or "no challenger was trained"))
    return _judge_challenger(run, outcome, transaction)


def _judge_challenger(run: Run, outcome: Mapping[str, Any], transaction: Transaction) -> _Judged:
    said = outcome.get("verdict")
    if said not in {"deployable", "rejected", "registered"}:
        return _Judged(Verdict.FAILED, f"the outcome's verdict is {said!r}")
    try:
        bee = BeeSpec.model_validate((run.frozen or {}).get("bee"))
    except ValueError as error:
        return _Judged(Verdict.FAILED, f"the bee's frozen spec cannot be read any more: {error}")
    gate = judge(outcome.get("gate") or {}, bee.gate, task=bee.task)
    if said == "registered" and (outcome.get("lineage") or {}).get("experiment"):
        # The winner of an experiment is kept for its parameters; by itself it goes nowhere, least of all ungated.
        reason = str(outcome.get("reason") or "the best of its experiment")
        return _Judged(Verdict.REGISTERED, reason, register=True, gate_passed=gate.passed)
    if not gate.passed or said == "rejected":
        reason = gate.reason or str(outcome.get("reason") or "refused by the pipeline")
        return _Judged(Verdict.REJECTED, reason, register=True)
    if said == "registered" or not run.loop:
        # A run that does not hold the bee's slot was never meant to change the champion, whatever its steps say.
        return _Judged(Verdict.REGISTERED, "the template registers only", register=True, gate_passed=True)
    return _swap(run, gate_words(outcome), transaction)


def _gated(judged: _Judged, approval: Approval, cost: float | None, now: datetime) -> _Judged:
    """Let what would be deployed wait for a person, where the policy asks for one."""
    known = None if cost is None else Decimal(str(cost))
    if judged.verdict is not Verdict.DEPLOYED or not approval.asked_for_deployment(known):
        return judged
    reason = f"it waits for a person's approval: {judged.reason}"
    return replace(judged, verdict=Verdict.GATED, reason=reason, until=now + approval.expires)


def _staged(judged: _Judged, run: Run, outcome: Mapping[str, Any] | None, transaction: Transaction) -> _Judged:
    """Let what would be deployed go into production in steps, where the plan has any and there is a champion."""
    if judged.verdict not in {Verdict.DEPLOYED, Verdict.GATED}:
        return judged
    try:
        plan = plan_of(run, outcome)
    except Rejected as error:
        # A plan that cannot be followed is no reason to go without one.
        reason = f"it passed its gate, but its rollout cannot be followed: {error}"
        return replace(judged, verdict=Verdict.FAILED, reason=reason, register=True, until=None)
    if judged.verdict is Verdict.DEPLOYED and staged(plan, run.bee, transaction):
        return replace(judged, verdict=Verdict.ROLLOUT, plan=plan)
    return judged


def _rolled_out(
    judged: _Judged, version: ModelVersion, run: Run, plan: RolloutSpec, transaction: Transaction, now: datetime
) -> _Judged:
    bee = _frozen_bee(run)
    if bee is None:
        raise ValueError(f"run {run.id} was judged without its bee's spec")
    begun = begin(version, bee, plan, transaction, now, reason=judged.reason, run=run.id, incident=run.incident_id)
    return replace(judged, reason=begun.reason)


def _tested(
    judged: _Judged, run: Run, outcome: Mapping[str, Any], transaction: Transaction, now: datetime
) -> tuple[_Judged, Mapping[str, Any]]:
    """Begin the A/B test that a run has planned; one that cannot begin is refused, and the outcome says why."""
    try:
        with transaction.savepoint():
            test = begin_test(run, outcome["abTest"], transaction, now)
    except (Rejected, NotFound, Conflict) as error:
        judged = _Judged(Verdict.REJECTED, f"the A/B test was not begun: {error}")
    else:
        judged = replace(judged, reason=f"the A/B test {test.id} has begun; {judged.reason}")
    return judged, {**outcome, "reason": judged.reason}


def _ask(
    run: Run, version: ModelVersion, approval: Approval, until: datetime, transaction: Transaction, now: datetime
) -> None:
    champion = transaction.models.champion(run.bee)
    against = champion.epoch if champion else None
    ask(deployment_question(run, version, against, until, approval.on_expiry, now), transaction, now)


def _swap(run: Run, reason: str, transaction: Transaction) -> _Judged:
    judged_against = (run.frozen or {}).get("champion") or {}
    busy = under_way(transaction, run.bee)
    if busy:
        # It beat the champion, but not what may be the champion when that is over: nothing of it was passed for that.
        reason = f"it beat version {judged_against.get('version')}, but {busy}"
        return _Judged(Verdict.SUPERSEDED, reason, register=True)
    if not same_champion(transaction, run.bee, judged_against.get("epoch")):
        champion = transaction.models.champion(run.bee)
        live = champion.version if champion else "none"
        reason = f"it beat version {judged_against.get('version')}, but production has moved on to {live}"
        return _Judged(Verdict.SUPERSEDED, reason, register=True)
    return _Judged(Verdict.DEPLOYED, reason, register=True, gate_passed=True)


def gate_words(outcome: Mapping[str, Any]) -> str:
    """Return the gate's numbers as a person reads them."""
    gate = outcome.get("gate") or {}
    values = (gate.get(name) for name in ("champion", "challenger", "lower", "upper"))
    champion, challenger, lower, upper = (f"{v:.3f}" if isinstance(v, int | float) else "undefined" for v in values)
    interval = f"interval of the difference {lower} to {upper}, {gate.get('rows')} unseen rows"
    return f"{gate.get('metric')} {champion} → {challenger} ({interval})"


def _register(
    run: Run, judged: _Judged, outcome: Mapping[str, Any], transaction: Transaction, now: datetime
) -> ModelVersion:
    challenger = outcome["challenger"]
    states = {Verdict.REJECTED: "refused", Verdict.DEPLOYED: "deployed", Verdict.ROLLOUT: "registered"}
    version = ModelVersion(
        bee=run.bee,
        version=transaction.models.next_version(run.bee),
        state=states.get(judged.verdict, "registered"),
        artifact=Artifact(str(challenger["uri"]), str(challenger["sha256"])),
        run_id=run.id,
        created_at=now,
        gate_passed=judged.gate_passed,
        metrics=challenger.get("metrics") or {},
        lineage={
            **(outcome.get("lineage") or {}),
            "trainedUntil": challenger.get("trainedUntil"),
            "snapshotId": challenger.get("snapshotId"),
            "algorithm": challenger.get("algorithm"),
            "gate": outcome.get("gate"),
        },
    )
    transaction.models.add(version)
    return version


_RUN_EVENTS = {
    Status.SUCCEEDED: "pipeline.run.succeeded",
    Status.FAILED: "pipeline.run.failed",
    Status.CANCELLED: "pipeline.run.cancelled",
}


def _tell(run: Run, judged: _Judged, version: ModelVersion | None, transaction: Transaction, now: datetime) -> None:
    more = {"verdict": judged.verdict.value, "verdictReason": judged.reason, "cost": (run.outcome or {}).get("cost")}
    # Whoever cancelled a run is told so, also where the engine had been quicker.
    ended = Status.CANCELLED if judged.verdict is Verdict.CANCELLED else run.status
    tell(run, _RUN_EVENTS[ended], transaction, now, **more)
    if version is not None:
        tell_registered(run, version, judged.reason, transaction, now)
        tell_verdict(run, version, judged.verdict, judged.reason, transaction, now)


_INCIDENT_STATES = {
    Verdict.DEPLOYED: State.DEPLOYED,
    Verdict.GATED: State.GATED,
    Verdict.ROLLOUT: State.ROLLOUT,
    Verdict.REJECTED: State.REFUSED,
    Verdict.REGISTERED: State.REFUSED,
    Verdict.SUPERSEDED: State.REFUSED,
    Verdict.COMPLETED: State.REFUSED,
    Verdict.FAILED: State.FAILED,
    # A person's will, and no evidence against the model.
    Verdict.CANCELLED: State.OPEN,
}


def _progress(
    run: Run, judged: _Judged, bee: BeeSpec | None, policy: Policy, transaction: Transaction, now: datetime
) -> None:
    """Take the run's incident on, or tell of a broken template that has none."""
    incident = transaction.incidents.get(run.incident_id) if run.incident_id else None
    state = _INCIDENT_STATES[judged.verdict]
    if judged.verdict is Verdict.FAILED and run.status is Status.SUCCEEDED:
        # A success that left no outcome is a broken template: nobody but a person can mend it.
        state = State.ESCALATED
        if incident is None:
            data = {"beeId": run.bee, "runId": run.id, "incidentId": None, "reason": judged.reason}
            transaction.outbox.add(run.bee, "incident.escalated", run.id, run.transition, now, data)
    if incident is None or not incident.working:
        return
    bee = bee or _frozen_bee(run)
    if bee is None:
        # Nothing is known of the bee any more: its incident ends where its run did.
        transaction.incidents.save(machine.settled(incident, state, judged.reason, run.id, now))
        return
    before, situation = look(bee, policy, transaction, now, whole=True)
    ending = Ending(state, judged.reason, run.id, _beyond(run), judged.until)
    follow(before, ended(before, situation, ending), (), situation, transaction)


def _frozen_bee(run: Run) -> BeeSpec | None:
    try:
        return BeeSpec.model_validate((run.frozen or {}).get("bee"))
    except ValueError:
        return None


def _beyond(run: Run) -> Decimal:
    """Return what a run cost beyond its estimate; nothing where its cost is not known."""
    if run.cost is None:
        return Decimal(0)
    return Decimal(str(round(run.cost - (run.estimate or 0.0), 6)))

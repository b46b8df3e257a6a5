"""Promote a version by hand: step by step as its bee's plan says, or at once; always recorded."""

from handlers.commands.flip import check_not_live, chosen_version, ended, flip, live_rollout, newest
from handlers.commands.operator import Operator, checked_reason
from worker.errors import Conflict, Rejected
from worker.ledger import Transaction
from worker.models.port import ArtifactStore, Deployment, ModelVersion
from worker.models.trials import TrialKind
from worker.rollout.machine import State
from worker.runs.rollout import begin
from worker.runs.staging import staged
from worker.runs.trial import rollout_of


def promote_model(  # noqa: PLR0913 - what an operator says
    operator: Operator,
    bee: str,
    version: str,
    artifacts: ArtifactStore,
    *,
    reason: str,
    force: bool = False,
    immediate: bool = False,
) -> Deployment:
    """Put a version into production: by its bee's plan, which has it begin a rollout, or at once where it has none.

    Args:
        operator: who acts, on what.
        bee: whose.
        version: which.
        artifacts: where its file must be.
        reason: recorded and published.
        force: although its gate was not passed, which is recorded and shown.
        immediate: at once, whatever the plan says; of the version that is being rolled out: wholly, ahead of the
            evidence. Another version's rollout is stopped.

    Returns:
        The newest change of what is served.

    Raises:
        NotFound: no such bee or version, or its file is gone.
        Rejected: its gate was not passed and `force` is off, its file was changed, or no reason is given.
        Conflict: it is the champion already, or something else is being tried on the bee's traffic.
    """
    why = checked_reason(reason)
    with operator.ledger.begin(write=False) as transaction:
        found = _to_promote(bee, version, transaction, force=force)
    # A file may come from far away: nobody else is to wait for it.
    artifacts.fetch(found.artifact)
    with operator.ledger.begin() as transaction:
        transaction.lock([bee])
        chosen = _to_promote(bee, version, transaction, force=force)
        if immediate:
            return _at_once(operator, chosen, why, transaction)
        return _by_plan(operator, chosen, why, transaction)


def _by_plan(operator: Operator, chosen: ModelVersion, why: str, transaction: Transaction) -> Deployment:
    rollout, spec = rollout_of(transaction, chosen.bee), operator.bees.get(chosen.bee)
    if rollout is not None and rollout.version == chosen.version:
        mend = "`models verify` tells what it waits for; --immediate puts it wholly into production"
        raise Conflict(f"version {chosen.version} of {chosen.bee} is being rolled out already; {mend}")
    if spec is None or not staged(spec.rollout, chosen.bee, transaction):
        _check_free(chosen, transaction)
        return _flipped(operator, chosen, why, transaction)
    reason = f"promoted by {operator.name}: {why}"
    forced = None if chosen.gate_passed else why
    begin(chosen, spec, spec.rollout, transaction, operator.now, reason=reason, forced=forced, by=operator.name)
    return newest(chosen.bee, transaction)


def _at_once(operator: Operator, chosen: ModelVersion, why: str, transaction: Transaction) -> Deployment:
    rollout = live_rollout(chosen.bee, transaction)
    if rollout is not None and rollout.version == chosen.version:
        return ended(operator, rollout, State.PROMOTED, why, transaction)
    if rollout is not None:
        ended(operator, rollout, State.STOPPED, why, transaction)
    return _flipped(operator, chosen, why, transaction)


def _flipped(operator: Operator, chosen: ModelVersion, why: str, transaction: Transaction) -> Deployment:
    forced = None if chosen.gate_passed else why
    return flip(chosen, "model.deployed", why, transaction, operator.now, by=operator.name, forced=forced)


def _check_free(chosen: ModelVersion, transaction: Transaction) -> None:
    trial = transaction.trials.active(chosen.bee)
    if trial is not None:
        kind = "rollout" if trial.kind is TrialKind.ROLLOUT else "A/B test"
        raise Conflict(f"the {kind} {trial.id} of {chosen.bee} is under way; end it first, or use --immediate")


def _to_promote(bee: str, version: str, transaction: Transaction, *, force: bool) -> ModelVersion:
    chosen = chosen_version(bee, version, transaction)
    rollout = rollout_of(transaction, bee)
    forced = force or (rollout is not None and rollout.version == version and rollout.forced is not None)
    if not chosen.gate_passed and not forced:
        raise Rejected(
            f"version {version} of {bee} has not passed its gate",
            field="version",
            mend="promote another, or use --force, which is recorded",
        )
    check_not_live(chosen, transaction)
    return chosen

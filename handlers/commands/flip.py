"""What changes of the champion by hand share: the version that is meant, its file, and the change itself."""

from datetime import datetime
from typing import Any

from handlers.commands.operator import Operator
from worker.clock import to_text
from worker.errors import Conflict, NotFound
from worker.ledger import Transaction
from worker.models.port import Deployment, ModelVersion
from worker.rollout.machine import Rollout, State
from worker.runs.rollout import end_by_hand
from worker.runs.trial import rollout_of


def chosen_version(bee: str, version: str, transaction: Transaction) -> ModelVersion:
    """Return a version. Raises NotFound with those that there are."""
    chosen = transaction.models.get(bee, version)
    if chosen is None:
        known = ", ".join(item.version for item in transaction.models.versions(bee)) or "none"
        raise NotFound(f"there is no version {version} of {bee}; there are: {known}", field="version")
    return chosen


def check_not_live(chosen: ModelVersion, transaction: Transaction) -> None:
    """Raise Conflict if a version is the champion."""
    current = transaction.models.champion(chosen.bee)
    if current and current.version == chosen.version:
        raise Conflict(f"version {chosen.version} of {chosen.bee} is in production already")


def live_rollout(bee: str, transaction: Transaction) -> Rollout | None:
    """Return the rollout that has a say in a bee's traffic; None also if production was changed beside it."""
    rollout, champion = rollout_of(transaction, bee), transaction.models.champion(bee)
    return rollout if rollout and champion and rollout.epoch == champion.epoch else None


def ended(operator: Operator, rollout: Rollout, state: State, why: str, transaction: Transaction) -> Deployment:
    """End a rollout in an operator's name, and return the change of what is served."""
    end_by_hand(
        operator.bees.get(rollout.bee),
        operator.policy,
        transaction,
        state,
        operator.now,
        bee_id=rollout.bee,
        reason=why,
        by=operator.name,
    )
    return newest(rollout.bee, transaction)


def newest(bee: str, transaction: Transaction) -> Deployment:
    """Return the newest change of what a bee is served by, which is there."""
    found = transaction.models.champion(bee)
    if found is None:
        raise LookupError(f"{bee} has no model in production")
    return found


def flip(  # noqa: PLR0913 - which, as what, why, by whom
    chosen: ModelVersion,
    type_: str,
    reason: str,
    transaction: Transaction,
    now: datetime,
    *,
    by: str,
    forced: str | None = None,
) -> Deployment:
    """Make a version the champion of everybody at once, and tell it as an event of a type."""
    current = transaction.models.champion(chosen.bee)
    previous = current.version if current else None
    epoch = (current.epoch if current else 0) + 1
    deployment = Deployment(chosen.bee, epoch, chosen.version, previous, now, reason, None, by=by)
    transaction.models.deploy(deployment)
    transaction.models.set_state(chosen.bee, chosen.version, "deployed", forced=forced)
    if previous is not None:
        transaction.models.set_state(chosen.bee, previous, "retired")
    data: dict[str, Any] = {
        "beeId": chosen.bee,
        "version": chosen.version,
        "previous": previous,
        "reason": reason,
        "forced": forced is not None,
        "artifact": {"uri": chosen.artifact.uri, "sha256": chosen.artifact.sha256},
    }
    if type_ == "model.deployed":
        made = {"runId": chosen.run_id, "metrics": dict(chosen.metrics), "gate": None}
        data |= {**made, "deployedAt": to_text(now)}
    else:
        data |= {"rolledBackAt": to_text(now)}
    subject = f"{chosen.bee}/{chosen.version}"
    transaction.outbox.add(chosen.bee, type_, subject, deployment.epoch, now, data)
    return deployment

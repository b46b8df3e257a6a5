"""What is being tried on a bee's traffic, as whoever changes production asks for it; in the caller's transaction."""

from datetime import datetime

from worker.clock import to_text
from worker.ledger import Transaction
from worker.models.port import ModelVersion
from worker.models.trials import TrialKind
from worker.rollout.encoding import decoded, encoded
from worker.rollout.machine import Rollout, State, ended_by_hand


def rollout_of(transaction: Transaction, bee: str) -> Rollout | None:
    """Return the rollout that is under way for a bee; None while there is none, or it is an A/B test."""
    trial = transaction.trials.active(bee)
    return decoded(trial) if trial is not None and trial.kind is TrialKind.ROLLOUT else None


def under_way(transaction: Transaction, bee: str) -> str:
    """Return in words what is being tried on a bee's traffic; empty while nothing is."""
    trial = transaction.trials.active(bee)
    if trial is None:
        return ""
    if trial.kind is not TrialKind.ROLLOUT:
        return f"an A/B test is under way since {to_text(trial.started_at)} ({trial.id})"
    rollout = decoded(trial)
    since = f"since {to_text(trial.started_at)} ({trial.id})"
    return f"version {rollout.version} is being rolled out over version {rollout.champion} {since}"


def supersede(transaction: Transaction, bee: str, reason: str, now: datetime) -> None:
    """End a rollout whose bee's production was changed beside it; an A/B test sees that by itself."""
    rollout = rollout_of(transaction, bee)
    if rollout is None:
        return
    transaction.trials.save(encoded(ended_by_hand(rollout, State.SUPERSEDED, reason, now)))
    let_go(transaction, bee, rollout.version, "registered")


def let_go(transaction: Transaction, bee: str, version: str, state: str) -> None:
    """Give a version that is live beside the champion its state after that; any other keeps its own."""
    found: ModelVersion | None = transaction.models.get(bee, version)
    if found is not None and found.state == "challenger":
        transaction.models.set_state(bee, version, state)


def champion_since(transaction: Transaction, bee: str) -> datetime | None:
    """Return since when the champion is the champion: how its traffic was divided since is no change of it."""
    found: tuple[str, datetime] | None = None
    for change in transaction.models.deployments(bee):
        if found is None or found[0] != change.version:
            found = change.version, change.at
    return found[1] if found else None


def same_champion(transaction: Transaction, bee: str, epoch: int | None) -> bool:
    """Tell whether the champion is still the one of an epoch: how its traffic was divided since is no change of it."""
    champion = transaction.models.champion(bee)
    if champion is None or epoch is None:
        return champion is None and epoch is None
    if champion.epoch == epoch:
        return True
    since = [one.version for one in transaction.models.deployments(bee) if one.epoch >= epoch]
    return len(set(since)) == 1

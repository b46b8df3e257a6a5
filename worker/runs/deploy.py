"""Put what a run made into production, and tell of what was made; in the caller's transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from worker.clock import to_text
from worker.ledger import Transaction
from worker.models.port import Deployment, ModelVersion
from worker.runs.lifecycle import Run, Verdict


def deploy(version: ModelVersion, run: Run, reason: str, transaction: Transaction, now: datetime) -> None:
    """Make a version the champion, and retire the one before. Raises Conflict if production has moved on."""
    current = transaction.models.champion(run.bee)
    previous = current.version if current else None
    epoch = (current.epoch if current else 0) + 1
    change = Deployment(run.bee, epoch, version.version, previous, now, reason, run.id, numbers=_numbers(run))
    transaction.models.deploy(change)
    transaction.models.set_state(run.bee, version.version, "deployed")
    if previous is not None:
        transaction.models.set_state(run.bee, previous, "retired")


def _numbers(run: Run) -> dict[str, Any]:
    """Return what the gate compared, as a rollout tells its evidence."""
    gate = (run.outcome or {}).get("gate") or {}
    names = ("metric", "champion", "challenger", "difference", "lower", "upper")
    return {**{name: gate.get(name) for name in names}, "source": "gate", "count": gate.get("rows")} if gate else {}


def tell_registered(run: Run, version: ModelVersion, reason: str, transaction: Transaction, now: datetime) -> None:
    """Tell of a new version."""
    data = _data(run, version, reason)
    transaction.outbox.add(run.bee, "model.registered", f"{run.bee}/{version.version}", 1, now, data)


def tell_verdict(
    run: Run, version: ModelVersion, verdict: Verdict, reason: str, transaction: Transaction, now: datetime
) -> None:
    """Tell that a version went into production, or will not; nothing where that is still open."""
    subject, data = f"{run.bee}/{version.version}", _data(run, version, reason)
    if verdict is Verdict.DEPLOYED:
        champion = transaction.models.champion(run.bee)
        epoch = champion.epoch if champion else 0
        change = {**data, "previous": champion.previous if champion else None, "deployedAt": to_text(now)}
        transaction.outbox.add(run.bee, "model.deployed", subject, epoch, now, change)
    elif verdict in {Verdict.REJECTED, Verdict.SUPERSEDED}:
        transaction.outbox.add(run.bee, "model.rejected", subject, 1, now, data)


def _data(run: Run, version: ModelVersion, reason: str) -> Mapping[str, Any]:
    return {
        "beeId": run.bee,
        "version": version.version,
        "runId": run.id,
        "reason": reason,
        "metrics": dict(version.metrics),
        "gate": (run.outcome or {}).get("gate"),
        "artifact": {"uri": version.artifact.uri, "sha256": version.artifact.sha256},
    }

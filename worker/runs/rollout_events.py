"""Tell of a rollout: `model.rollout.…` on its way, at its end `model.deployed` or `model.rolled_back` with numbers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from worker.clock import to_text
from worker.ledger import Transaction
from worker.rollout.machine import Rollout


def tell_started(rollout: Rollout, transaction: Transaction, now: datetime) -> None:
    """Tell that a version goes into production step by step from now on."""
    data = {**_where(rollout), "forced": rollout.forced is not None}
    transaction.outbox.add(rollout.bee, "model.rollout.started", rollout.id, 1, now, data)


def tell_advanced(rollout: Rollout, transaction: Transaction, now: datetime) -> None:
    """Tell that a step was advanced, with the numbers that it was advanced on."""
    data = {**_where(rollout), **numbers(rollout)}
    transaction.outbox.add(rollout.bee, "model.rollout.advanced", rollout.id, rollout.step, now, data)


def tell_held(rollout: Rollout, transaction: Transaction, now: datetime) -> None:
    """Tell that a step has waited for evidence for too long; once per step."""
    data = {**_where(rollout), **numbers(rollout)}
    transaction.outbox.add(rollout.bee, "model.rollout.held", rollout.id, rollout.step + 1, now, data)


def tell_escalated(rollout: Rollout, transaction: Transaction, now: datetime) -> None:
    """Tell that a person must look, where no incident says so."""
    data = {
        "beeId": rollout.bee,
        "incidentId": None,
        "modelVersion": rollout.version,
        "reason": rollout.reason,
        **({"runId": rollout.run} if rollout.run else {}),
    }
    subject = f"{rollout.id}/{rollout.step}"
    transaction.outbox.add(rollout.bee, "incident.escalated", subject, 1, now, data)


def tell_deployed(rollout: Rollout, transaction: Transaction, now: datetime) -> None:
    """Tell that the version serves everybody, as the champion."""
    version = transaction.models.get(rollout.bee, rollout.version)
    if version is None:
        raise LookupError(f"version {rollout.version} of {rollout.bee} is gone")
    data = {
        "beeId": rollout.bee,
        "version": rollout.version,
        "previous": rollout.champion,
        "runId": version.run_id,
        "reason": rollout.reason,
        "deployedAt": to_text(now),
        "metrics": dict(version.metrics),
        "gate": version.lineage.get("gate"),
        "forced": rollout.forced is not None,
        "artifact": {"uri": version.artifact.uri, "sha256": version.artifact.sha256},
        "rollout": {"rolloutId": rollout.id, "state": rollout.state.value, **numbers(rollout)},
    }
    subject = f"{rollout.bee}/{rollout.version}"
    transaction.outbox.add(rollout.bee, "model.deployed", subject, rollout.epoch, now, data)


def tell_rolled_back(rollout: Rollout, transaction: Transaction, now: datetime) -> None:
    """Tell that the champion serves everybody again, and why: worse, or a person's word."""
    version = transaction.models.get(rollout.bee, rollout.champion)
    data = {
        "beeId": rollout.bee,
        "version": rollout.champion,
        "previous": rollout.version,
        "reason": rollout.reason,
        "rolledBackAt": to_text(now),
        "rollout": {"rolloutId": rollout.id, "state": rollout.state.value, **numbers(rollout)},
    }
    if version is not None:
        data["artifact"] = {"uri": version.artifact.uri, "sha256": version.artifact.sha256}
    subject = f"{rollout.bee}/{rollout.champion}"
    transaction.outbox.add(rollout.bee, "model.rolled_back", subject, rollout.epoch, now, data)


def numbers(rollout: Rollout) -> dict[str, Any]:
    """Return what the newest look went by: the step, the compared metric and the guards."""
    newest = rollout.newest
    guards: Mapping[str, Any] = {} if newest is None else newest.guards
    return {
        "step": rollout.step + 1,
        "steps": len(rollout.plan.planned),
        "asOf": None if newest is None else to_text(newest.as_of),
        "outcomes": None if newest is None else newest.step_outcomes,
        "evidence": None if newest is None else newest.primary.printed(),
        "guards": {name: found.printed() for name, found in guards.items()},
    }


def _where(rollout: Rollout) -> dict[str, Any]:
    """Return where a rollout stands."""
    traffic = rollout.traffic
    return {
        "beeId": rollout.bee,
        "rolloutId": rollout.id,
        "version": rollout.version,
        "champion": rollout.champion,
        "strategy": rollout.plan.strategy,
        "step": rollout.step + 1,
        "steps": len(rollout.plan.planned),
        "percent": rollout.percent,
        "split": traffic.ordered,
        "salt": traffic.salt,
        "shadow": list(traffic.shadow),
        "runId": rollout.run,
        "incidentId": rollout.incident,
        "reason": rollout.reason,
    }

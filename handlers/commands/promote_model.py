"""Promote a version by hand, roll back to an earlier one: changes of the champion outside the loop, always recorded."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from worker.clock import to_text
from worker.errors import Conflict, NotFound, Rejected
from worker.ledger import Ledger, Transaction
from worker.models.port import ArtifactStore, Deployment, ModelVersion


def promote_model(  # noqa: PLR0913 - what an operator says, and what it is done to
    bee: str,
    version: str,
    ledger: Ledger,
    artifacts: ArtifactStore,
    now: datetime,
    *,
    reason: str,
    force: bool = False,
) -> Deployment:
    """Make a version the champion; with `force` although its gate was not passed, which is recorded and shown.

    Raises:
        NotFound: no such version, or its file is gone.
        Rejected: its gate was not passed and `force` is off, its file was changed, or no reason is given.
        Conflict: it is the champion already.
    """
    _check_reason(reason)
    with ledger.begin(write=False) as transaction:
        found = _to_promote(bee, version, transaction, force=force)
    # A file may come from far away: nobody else is to wait for it.
    artifacts.fetch(found.artifact)
    with ledger.begin() as transaction:
        transaction.lock([bee])
        chosen = _to_promote(bee, version, transaction, force=force)
        forced = None if chosen.gate_passed else reason
        return _flip(chosen, "model.deployed", reason, transaction, now, forced=forced)


def rollback_model(
    bee: str,
    ledger: Ledger,
    artifacts: ArtifactStore,
    now: datetime,
    *,
    reason: str,
    to_version: str | None = None,
) -> Deployment:
    """Go back to the champion's predecessor, or to a named version that was in production before.

    Raises:
        NotFound: nothing to go back to, or its file is gone.
        Rejected: the version never was in production, an operator had forced it past its gate, its file was changed,
            or there is no reason.
        Conflict: it is the champion already.
    """
    _check_reason(reason)
    with ledger.begin(write=False) as transaction:
        found = _to_go_back_to(bee, to_version, transaction)
    artifacts.fetch(found.artifact)
    with ledger.begin() as transaction:
        transaction.lock([bee])
        chosen = _to_go_back_to(bee, to_version, transaction)
        if chosen.version != found.version:
            raise Conflict(f"the champion of {bee} has changed in the meantime")
        return _flip(chosen, "model.rolled_back", reason, transaction, now)


def predecessor(deployed: Iterable[str]) -> str | None:
    """Return what was in production before the last of these versions first came; None if nothing was.

    A version that production has gone back from is not a predecessor: a second rollback goes further back, it does not
    bring back what the first one took away.
    """
    path: list[str] = []
    for version in deployed:
        path = [*path[: path.index(version)], version] if version in path else [*path, version]
    return path[-2] if len(path) > 1 else None


def _to_promote(bee: str, version: str, transaction: Transaction, *, force: bool) -> ModelVersion:
    chosen = _chosen(bee, version, transaction)
    if not chosen.gate_passed and not force:
        raise Rejected(
            f"version {version} of {bee} has not passed its gate",
            field="version",
            mend="promote another, or use --force, which is recorded",
        )
    _check_not_live(chosen, transaction)
    return chosen


def _to_go_back_to(bee: str, to_version: str | None, transaction: Transaction) -> ModelVersion:
    current = transaction.models.champion(bee)
    if current is None:
        raise NotFound(f"{bee} has no model in production", field="beeId")
    live = [deployment.version for deployment in transaction.models.deployments(bee)]
    target = to_version or predecessor(live)
    if target is None:
        raise NotFound(f"version {current.version} of {bee} has no predecessor; name the version to go back to")
    if target not in live:
        raise Rejected(
            f"version {target} of {bee} never was in production", field="version", mend="use `models promote`"
        )
    chosen = _chosen(bee, target, transaction)
    if chosen.forced is not None:
        mend = "name another with --to, or use `models promote --force` again"
        raise Rejected(f"version {target} of {bee} has not passed its gate", field="version", mend=mend)
    _check_not_live(chosen, transaction)
    return chosen


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise Rejected("is empty", field="reason", mend="say why, for whoever is on call next")


def _chosen(bee: str, version: str, transaction: Transaction) -> ModelVersion:
    chosen = transaction.models.get(bee, version)
    if chosen is None:
        known = ", ".join(item.version for item in transaction.models.versions(bee)) or "none"
        raise NotFound(f"there is no version {version} of {bee}; there are: {known}", field="version")
    return chosen


def _check_not_live(chosen: ModelVersion, transaction: Transaction) -> None:
    current = transaction.models.champion(chosen.bee)
    if current and current.version == chosen.version:
        raise Conflict(f"version {chosen.version} of {chosen.bee} is in production already")


def _flip(
    chosen: ModelVersion, type_: str, reason: str, transaction: Transaction, now: datetime, forced: str | None = None
) -> Deployment:
    current = transaction.models.champion(chosen.bee)
    previous = current.version if current else None
    deployment = Deployment(
        chosen.bee, (current.epoch if current else 0) + 1, chosen.version, previous, now, reason, None
    )
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

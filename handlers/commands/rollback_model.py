"""Go back by hand: from a rollout to the champion, from the champion to what was in production before; recorded."""

from collections.abc import Iterable

from handlers.commands.flip import check_not_live, chosen_version, ended, flip, live_rollout
from handlers.commands.operator import Operator, checked_reason
from worker.errors import Conflict, NotFound, Rejected
from worker.ledger import Transaction
from worker.models.port import ArtifactStore, Deployment, ModelVersion
from worker.rollout.machine import State


def rollback_model(
    operator: Operator, bee: str, artifacts: ArtifactStore, *, reason: str, to_version: str | None = None
) -> Deployment:
    """Go back: while a rollout is under way to the champion, which serves everybody again; else to its predecessor.

    Args:
        operator: who acts, on what.
        bee: whose.
        artifacts: where the version's file must be.
        reason: recorded and published.
        to_version: a version that was in production before; a rollout is stopped first.

    Raises:
        NotFound: nothing to go back to, or its file is gone.
        Rejected: the version never was in production, an operator had forced it past its gate, its file was changed,
            or there is no reason.
        Conflict: it is the champion already.
    """
    why = checked_reason(reason)
    with operator.ledger.begin(write=False) as transaction:
        found = _to_go_back_to(bee, to_version, transaction)
    artifacts.fetch(found.artifact)
    with operator.ledger.begin() as transaction:
        transaction.lock([bee])
        chosen, rollout = _to_go_back_to(bee, to_version, transaction), live_rollout(bee, transaction)
        if chosen.version != found.version:
            raise Conflict(f"the champion of {bee} has changed in the meantime")
        if rollout is not None:
            stopped = ended(operator, rollout, State.STOPPED, why, transaction)
            if stopped.version == chosen.version:
                return stopped
        return flip(chosen, "model.rolled_back", why, transaction, operator.now, by=operator.name)


def predecessor(deployed: Iterable[str]) -> str | None:
    """Return what was in production before the last of these versions first came; None if nothing was.

    A version that production has gone back from is not a predecessor: a second rollback goes further back, it does not
    bring back what the first one took away.
    """
    path: list[str] = []
    for version in deployed:
        path = [*path[: path.index(version)], version] if version in path else [*path, version]
    return path[-2] if len(path) > 1 else None


def _to_go_back_to(bee: str, to_version: str | None, transaction: Transaction) -> ModelVersion:
    current = transaction.models.champion(bee)
    if current is None:
        raise NotFound(f"{bee} has no model in production", field="beeId")
    if to_version in {None, current.version} and live_rollout(bee, transaction) is not None:
        return chosen_version(bee, current.version, transaction)
    live = [deployment.version for deployment in transaction.models.deployments(bee)]
    target = to_version or predecessor(live)
    if target is None:
        raise NotFound(f"version {current.version} of {bee} has no predecessor; name the version to go back to")
    if target not in live:
        raise Rejected(
            f"version {target} of {bee} never was in production", field="version", mend="use `models promote`"
        )
    chosen = chosen_version(bee, target, transaction)
    if chosen.forced is not None:
        mend = "name another with --to, or use `models promote --force` again"
        raise Rejected(f"version {target} of {bee} has not passed its gate", field="version", mend=mend)
    check_not_live(chosen, transaction)
    return chosen

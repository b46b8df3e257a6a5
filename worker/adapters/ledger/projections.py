"""`projections` and its leases: what is being done so that a registry elsewhere shows what the ledger says."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from worker.adapters.ledger import leasing
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.tables import deployments, model_versions, projections
from worker.clock import from_us, to_us
from worker.models.projection import Effort, Kind

_KEYS = ("bee", "kind", "subject")


class SqlProjections:
    """Efforts inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._database = database
        self._connection = connection

    def heads(self) -> Mapping[str, str]:
        """Return bee -> a text that changes with what should be shown of it, for every bee that has a version."""
        states = sa.select(model_versions.c.bee, model_versions.c.state, sa.func.count().label("count"))
        states = states.group_by(model_versions.c.bee, model_versions.c.state).order_by(
            model_versions.c.bee, model_versions.c.state
        )
        epochs = sa.select(deployments.c.bee, sa.func.max(deployments.c.epoch).label("epoch"))
        newest = {row.bee: row.epoch for row in self._connection.execute(epochs.group_by(deployments.c.bee))}
        found: dict[str, str] = {}
        for row in self._connection.execute(states):
            found[row.bee] = f"{found.get(row.bee, newest.get(row.bee, 0))} {row.state}={row.count}"
        return found

    def efforts(self, bee: str | None = None) -> Mapping[str, Sequence[Effort]]:
        """Return bee -> its efforts."""
        query = sa.select(projections).order_by(*(projections.c[name] for name in _KEYS))
        if bee is not None:
            query = query.where(projections.c.bee == bee)
        found: dict[str, list[Effort]] = {}
        for row in self._connection.execute(query):
            found.setdefault(row.bee, []).append(
                Effort(
                    kind=Kind(row.kind),
                    subject=row.subject,
                    since=_moment(row.since),
                    operation=row.operation,
                    faults=row.faults,
                    error=row.error,
                    again_at=_moment(row.again_at),
                )
            )
        return found

    def save(self, bee: str, effort: Effort) -> None:
        """Store an effort, or replace it."""
        row = {
            "bee": bee,
            "kind": effort.kind.value,
            "subject": effort.subject,
            "since": _us(effort.since),
            "operation": effort.operation,
            "faults": effort.faults,
            "error": effort.error,
            "again_at": _us(effort.again_at),
        }
        self._connection.execute(self._database.upsert(projections, row, _KEYS))

    def forget(self, bee: str, effort: Effort) -> None:
        """Remove an effort."""
        values = (bee, effort.kind.value, effort.subject)
        where = (projections.c[name] == value for name, value in zip(_KEYS, values, strict=True))
        self._connection.execute(projections.delete().where(*where))

    def claim(self, bee: str, owner: str, *, lease_s: float) -> int | None:
        """Lease a bee's projection and return the epoch; None if another process holds it."""
        return leasing.claim(self._database, self._connection, _name(bee), owner, lease_s=lease_s)

    def hold(self, bee: str, epoch: int, *, lease_s: float) -> None:
        """Extend the lease until the transaction's end and beyond. Raises LeaseLost if another has taken it over."""
        leasing.extend(self._database, self._connection, _name(bee), epoch, lease_s=lease_s)

    def release(self, bee: str, epoch: int) -> None:
        """Give the lease back."""
        leasing.release(self._connection, _name(bee), epoch)


def _name(bee: str) -> str:
    return f"project:{bee}"


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else to_us(moment)


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else from_us(microseconds)

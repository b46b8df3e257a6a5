"""`trials`: what is tried on a bee's live traffic, at most one thing at a time."""

import json
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from worker.adapters.ledger.database import Database, dumps
from worker.adapters.ledger.tables import trials
from worker.clock import from_us, to_us
from worker.errors import Conflict
from worker.models.trials import Trial, TrialKind


class SqlTrials:
    """Trials inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._database = database
        self._connection = connection

    def get(self, trial_id: str) -> Trial | None:
        """Return one."""
        row = self._connection.execute(sa.select(trials).where(trials.c.id == trial_id)).first()
        return trial_of(row) if row else None

    def active(self, bee: str) -> Trial | None:
        """Return the one that is under way for a bee."""
        row = self._connection.execute(sa.select(trials).where(trials.c.bee == bee, trials.c.active)).first()
        return trial_of(row) if row else None

    def list(
        self, bee: str | None = None, kind: TrialKind | None = None, *, active: bool | None = None
    ) -> Sequence[Trial]:
        """Return trials, oldest first."""
        query = sa.select(trials).order_by(trials.c.started_at, trials.c.id)
        if bee is not None:
            query = query.where(trials.c.bee == bee)
        if kind is not None:
            query = query.where(trials.c.kind == kind.value)
        if active is not None:
            query = query.where(trials.c.active if active else ~trials.c.active)
        return [trial_of(row) for row in self._connection.execute(query)]

    def save(self, trial: Trial) -> None:
        """Store a new one, or what became of it. Raises Conflict if another is active for the bee."""
        row = {
            "id": trial.id,
            "bee": trial.bee,
            "kind": trial.kind.value,
            "state": trial.state,
            "active": trial.active,
            "started_at": to_us(trial.started_at),
            "changed_at": to_us(trial.changed_at),
            "detail": dumps(dict(trial.detail)),
        }
        insert = self._database.insert(trials).values(**row)
        changes = {name: insert.excluded[name] for name in ("state", "active", "changed_at", "detail")}
        try:
            with self._database.savepoint(self._connection):
                self._connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=changes))
        except IntegrityError as error:
            raise Conflict(f"a rollout or a test of {trial.bee} is under way already") from error


def trial_of(row: sa.Row[tuple[object, ...]]) -> Trial:
    """Return the trial of a row."""
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row by column
    return Trial(
        id=values["id"],
        bee=values["bee"],
        kind=TrialKind(values["kind"]),
        state=values["state"],
        active=bool(values["active"]),
        started_at=from_us(values["started_at"]),
        changed_at=from_us(values["changed_at"]),
        detail=json.loads(values["detail"]),
    )

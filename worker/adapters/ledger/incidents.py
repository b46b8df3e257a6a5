"""`incidents`: at most one per bee that is not closed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from worker.adapters.ledger.database import Database, dumps, insert_into
from worker.adapters.ledger.tables import OPEN, incidents
from worker.clock import from_us, to_us
from worker.errors import Conflict
from worker.incidents.machine import Incident, Newest, State, Waiting

#: Asked for every event: made once, since making a statement costs more than executing it.
_OPEN_FOR = sa.select(incidents).where(incidents.c.bee == sa.bindparam("of_bee"), sa.text(f"incidents.{OPEN}"))


class SqlIncidents:
    """Incidents inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._database = database
        self._connection = connection

    def open_for(self, bee: str) -> Incident | None:
        """Return the bee's incident that is not closed."""
        row = self._connection.execute(_OPEN_FOR, {"of_bee": bee}).first()
        return incident_of(row) if row else None

    def get(self, incident_id: str) -> Incident | None:
        """Return one incident."""
        row = self._connection.execute(sa.select(incidents).where(incidents.c.id == incident_id)).first()
        return incident_of(row) if row else None

    def list(self, bee: str | None = None) -> Sequence[Incident]:
        """Return incidents, newest first."""
        query = sa.select(incidents).order_by(incidents.c.opened_at.desc(), incidents.c.id)
        if bee is not None:
            query = query.where(incidents.c.bee == bee)
        return [incident_of(row) for row in self._connection.execute(query)]

    def page(
        self, *, bee: str | None, state: State | None, before: tuple[datetime, str] | None, limit: int
    ) -> Sequence[Incident]:
        """Return up to `limit` incidents, newest first by (opened_at, id), all of them older than `before`."""
        query = sa.select(incidents).order_by(incidents.c.opened_at.desc(), incidents.c.id.desc()).limit(limit)
        if bee is not None:
            query = query.where(incidents.c.bee == bee)
        if state is not None:
            query = query.where(incidents.c.state == state.value)
        if before is not None:
            query = query.where(
                sa.tuple_(incidents.c.opened_at, incidents.c.id) < sa.tuple_(to_us(before[0]), before[1])
            )
        return [incident_of(row) for row in self._connection.execute(query)]

    def unfinished(self) -> Sequence[Incident]:
        """Return the incidents that are not closed, oldest first."""
        query = sa.select(incidents).where(sa.text(f"incidents.{OPEN}")).order_by(incidents.c.opened_at, incidents.c.id)
        return [incident_of(row) for row in self._connection.execute(query)]

    def save(self, incident: Incident) -> None:
        """Insert or replace. Raises Conflict if the bee has another that is not closed."""
        try:
            with self._database.savepoint(self._connection):
                self._connection.execute(incident_upsert(sqlite=self._database.sqlite), incident_row(incident))
        except IntegrityError as error:
            raise Conflict(f"bee {incident.bee} has another open incident") from error


@cache
def incident_upsert(*, sqlite: bool) -> Any:
    """Return the statement that inserts or replaces the rows that `incident_row` makes."""
    insert = insert_into(incidents, sqlite=sqlite)
    changed = {column.name: insert.excluded[column.name] for column in incidents.columns if column.name != "id"}
    return insert.on_conflict_do_update(index_elements=["id"], set_=changed)


def incident_row(incident: Incident) -> dict[str, Any]:
    """Return an incident as its row."""
    return {
        "id": incident.id,
        "bee": incident.bee,
        "state": incident.state.value,
        "attempt": incident.attempt,
        "opened_at": to_us(incident.opened_at),
        "changed_at": to_us(incident.changed_at),
        "version": incident.version,
        "story": dumps(list(incident.story)),
        "detail": msgspec.json.encode(_detail(incident)).decode(),
    }


@dataclass(frozen=True)
class _Detail:
    """What of an incident nothing is looked up by."""

    waiting: Waiting | None = None
    newest: Newest | None = None
    before: Decimal | None = None
    well: tuple[str, ...] = ()
    asked_until: datetime | None = None
    approved: int = 0
    approved_by: str = ""
    granted: int = 0
    cancelled: tuple[int, ...] = ()
    baseline: Decimal | None = None


_DETAIL = msgspec.json.Decoder(_Detail)


def _detail(incident: Incident) -> _Detail:
    return _Detail(**{field.name: getattr(incident, field.name) for field in fields(_Detail)})


def incident_of(row: sa.Row[tuple[object, ...]]) -> Incident:
    """Return the incident of a row."""
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row by column
    detail = _DETAIL.decode(values["detail"]) if values["detail"] else _Detail()
    return Incident(
        id=values["id"],
        bee=values["bee"],
        state=State(values["state"]),
        attempt=values["attempt"],
        opened_at=from_us(values["opened_at"]),
        changed_at=from_us(values["changed_at"]),
        version=values["version"],
        story=tuple(json.loads(values["story"])),
        **{field.name: getattr(detail, field.name) for field in fields(_Detail)},
    )

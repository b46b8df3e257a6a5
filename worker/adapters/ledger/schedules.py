"""`schedules`: which occurrences of each template's schedule were taken care of, each once."""

from datetime import datetime

import sqlalchemy as sa

from worker.adapters.ledger.database import Database
from worker.adapters.ledger.tables import schedules
from worker.clock import from_us, to_us


class SqlSchedules:
    """Schedules inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._database = database
        self._connection = connection

    def last(self, template: str) -> datetime | None:
        """Return the newest occurrence that was taken, or when the template was first seen; None before that."""
        query = sa.select(sa.func.max(schedules.c.due)).where(schedules.c.template == template)
        found = self._connection.execute(query).scalar()
        return None if found is None else from_us(int(found))

    def take(self, template: str, due: datetime, run_id: str | None) -> bool:
        """Take an occurrence; False if it was taken before."""
        row = {"template": template, "due": to_us(due), "run_id": run_id}
        insert = self._database.insert(schedules).values(**row).on_conflict_do_nothing()
        return self._connection.execute(insert.returning(schedules.c.due)).first() is not None

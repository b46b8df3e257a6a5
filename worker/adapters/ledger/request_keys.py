"""`request_keys`: which run an Idempotency-Key has asked for, and with what."""

from datetime import datetime

import sqlalchemy as sa

from worker.adapters.ledger.database import Database
from worker.adapters.ledger.tables import request_keys
from worker.clock import to_us
from worker.runs.port import Asked


class SqlRequestKeys:
    """Idempotency keys inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._database = database
        self._connection = connection

    def take(self, key: str, asked: Asked, now: datetime) -> Asked:
        """Keep what a key asks for, and return what it asked for first; two at once wait for each other."""
        row = {"key": key, "fingerprint": asked.fingerprint, "run_id": asked.run_id, "created_at": to_us(now)}
        self._connection.execute(self._database.insert(request_keys).values(**row).on_conflict_do_nothing())
        query = sa.select(request_keys.c.fingerprint, request_keys.c.run_id).where(request_keys.c.key == key)
        found = self._connection.execute(query).one()
        return Asked(found.fingerprint, found.run_id)

    def forget(self, before: datetime, *, limit: int) -> int:
        """Forget up to `limit` keys that were first used before that time, and return how many."""
        old = sa.select(request_keys.c.key).where(request_keys.c.created_at < to_us(before)).limit(limit)
        return self._connection.execute(sa.delete(request_keys).where(request_keys.c.key.in_(old))).rowcount

"""The bees' row locks: taken in one order by everyone, so that two transactions never wait for each other."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from worker.adapters.ledger.database import Database, insert_into
from worker.adapters.ledger.tables import bee_state

#: The colony's own row. It is taken after the bees of a transaction: whoever holds it waits for no bee.
COLONY = "*"


def lock_bees(database: Database, connection: sa.Connection, bees: Sequence[str]) -> None:
    """Take the bees' row locks until the transaction ends; on SQLite the transaction has locked the whole database."""
    names = sorted(set(bees))
    if not names:
        return
    connection.execute(_missing(sqlite=database.sqlite), [{"bee": bee} for bee in names])
    if not database.sqlite:
        held = sa.select(bee_state.c.bee).where(bee_state.c.bee.in_(names)).order_by(bee_state.c.bee)
        connection.execute(held.with_for_update()).all()


@cache
def _missing(*, sqlite: bool) -> Any:
    return insert_into(bee_state, sqlite=sqlite).on_conflict_do_nothing()

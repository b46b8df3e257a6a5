"""The bees' row locks: taken in one order by everyone, so that two transactions never wait for each other."""

from collections.abc import Sequence

import sqlalchemy as sa

from worker.adapters.ledger.database import Database
from worker.adapters.ledger.tables import bee_state


def lock_bees(database: Database, connection: sa.Connection, bees: Sequence[str]) -> None:
    """Take the bees' row locks until the transaction ends; on SQLite the transaction has locked the whole database."""
    names = sorted(set(bees))
    if not names:
        return
    insert = database.insert(bee_state).values([{"bee": bee} for bee in names])
    connection.execute(insert.on_conflict_do_nothing())
    if not database.sqlite:
        held = sa.select(bee_state.c.bee).where(bee_state.c.bee.in_(names)).order_by(bee_state.c.bee)
        connection.execute(held.with_for_update()).all()

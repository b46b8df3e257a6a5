"""Leases by name: taken by the database's clock, told apart by an epoch that each new holder raises."""

import sqlalchemy as sa

from worker.adapters.ledger.database import Database
from worker.adapters.ledger.tables import leases
from worker.errors import LeaseLost


def claim(database: Database, connection: sa.Connection, name: str, owner: str, *, lease_s: float) -> int | None:
    """Take a lease and return its epoch; None if another process holds it."""
    now = database.now_us(connection)
    until = now + _us(lease_s)
    insert = database.insert(leases).values(name=name, owner=owner, until=until, epoch=1)
    taken = insert.on_conflict_do_update(
        index_elements=["name"],
        set_={"owner": owner, "until": until, "epoch": leases.c.epoch + 1},
        where=leases.c.until <= now,
    ).returning(leases.c.epoch)
    found = connection.execute(taken).scalar()
    return None if found is None else int(found)


def extend(database: Database, connection: sa.Connection, name: str, epoch: int, *, lease_s: float) -> None:
    """Let a lease hold from now on; its row stays locked until the transaction ends. Raises LeaseLost."""
    until = database.now_us(connection) + _us(lease_s)
    held = leases.update().where(leases.c.name == name, leases.c.epoch == epoch).values(until=until)
    if not connection.execute(held).rowcount:
        raise LeaseLost(f"{name} was taken over")


def check(database: Database, connection: sa.Connection, name: str, epoch: int) -> None:
    """Check, with the lease's row locked, that the epoch is the newest. Raises LeaseLost."""
    query = sa.select(leases.c.epoch).where(leases.c.name == name, leases.c.epoch == epoch)
    if connection.execute(query if database.sqlite else query.with_for_update()).first() is None:
        raise LeaseLost(f"{name} was taken over")


def release(connection: sa.Connection, name: str, epoch: int) -> None:
    """Give a lease back; one that was taken over is left alone."""
    where = sa.and_(leases.c.name == name, leases.c.epoch == epoch)
    connection.execute(leases.update().where(where).values(until=0, owner=None))


def _us(seconds: float) -> int:
    return int(seconds * 1_000_000)

"""Looking after the ledger while it is in use: forget what is old, check it, and keep copies of it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from worker.adapters.ledger.care import copies
from worker.adapters.ledger.care.prune import Keep, prune, steps
from worker.adapters.ledger.care.verify import faults
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.tables import leases


class LedgerCare:
    """What an operator does with one ledger; nothing of it opens the ledger before it is asked for."""

    def __init__(self, database: Database) -> None:
        """Look after the ledger of a database."""
        self._database = database
        self.where = database.where

    def keep(
        self,
        inbox: timedelta | None,
        decisions: timedelta | None,
        published: timedelta | None,
        runs: timedelta | None,
        *,
        webhook: bool = True,
    ) -> Keep:
        """Return how long things are kept, None for ever; and whether people are told by webhook."""
        return Keep(inbox, decisions, published, runs, webhook)

    def prune(self, keep: Keep, now: datetime, runs_root: Path, *, dry_run: bool = False) -> dict[str, int]:
        """Forget what is old; see `prune.prune`."""
        return prune(self._database, keep, now, runs_root=runs_root, dry_run=dry_run)

    def steps(self, keep: Keep, now: datetime, runs_root: Path) -> Iterator[int]:
        """Forget what is old, bit by bit; see `prune.steps`."""
        return steps(self._database, keep, now, runs_root)

    def claim(self, name: str, owner: str, every: timedelta) -> bool:
        """Take the right to do something once in `every`, by the database's clock; False if its time has not come."""
        with self._database.begin() as connection:
            now = self._database.now_us(connection)
            until = now + every // timedelta(microseconds=1)
            insert = self._database.insert(leases).values(name=name, owner=owner, until=until, epoch=1)
            taken = insert.on_conflict_do_update(
                index_elements=["name"],
                set_={"owner": owner, "until": until, "epoch": leases.c.epoch + 1},
                where=leases.c.until <= now,
            )
            return connection.execute(taken.returning(leases.c.epoch)).first() is not None

    def postpone(self, name: str, by: timedelta) -> None:
        """Let nobody take that right for so long, by the database's clock; a longer wait stays."""
        with self._database.begin() as connection:
            until = self._database.now_us(connection) + by // timedelta(microseconds=1)
            insert = self._database.insert(leases).values(name=name, owner=None, until=until, epoch=1)
            later = insert.on_conflict_do_update(
                index_elements=["name"],
                set_={"owner": None, "until": until, "epoch": leases.c.epoch + 1},
                where=leases.c.until < until,
            )
            connection.execute(later)

    def faults(self) -> list[str]:
        """Return what is wrong with it, in words. Raises TryLater."""
        return faults(self._database)

    def back_up(self, target: Path) -> None:
        """Copy it; see `copies.back_up`."""
        copies.back_up(self._database, target)

    def restore(self, source: Path) -> None:
        """Replace it; see `copies.restore`."""
        copies.restore(self._database, source)

    def close(self) -> None:
        """Release connections."""
        self._database.close()

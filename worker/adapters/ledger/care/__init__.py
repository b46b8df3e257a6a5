"""Looking after the ledger while it is in use: forget what is old, check it, and keep copies of it."""

from datetime import datetime, timedelta
from pathlib import Path

from worker.adapters.ledger.care import copies
from worker.adapters.ledger.care.prune import Keep, prune
from worker.adapters.ledger.care.verify import faults
from worker.adapters.ledger.database import Database


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
    ) -> Keep:
        """Return how long things are kept; None for ever."""
        return Keep(inbox, decisions, published, runs)

    def prune(self, keep: Keep, now: datetime, runs_root: Path, *, dry_run: bool = False) -> dict[str, int]:
        """Forget what is old; see `prune.prune`."""
        return prune(self._database, keep, now, runs_root=runs_root, dry_run=dry_run)

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

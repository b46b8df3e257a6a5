"""The real journal with a hook before and after each write, so that something can happen at every state change."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from worker.adapters.ledger.database import Database
from worker.adapters.ledger.journal import SqlJournal
from worker.engine.port import Claim, TaskRecord
from worker.engine.state import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

Side = Literal["before", "after"]
#: Called with the run, the number of the write among the run's (1, 2 …), and the side of it.
Hook = Callable[[str, int, Side], None]


class HookedJournal(SqlJournal):
    """Counts, run by run, the claim, every record and a release; leases that are only renewed change no state."""

    def __init__(self, database: Database, hook: Hook) -> None:
        """Call `hook` around each write."""
        super().__init__(database)
        self.counts: Counter[str] = Counter()
        self._hook = hook
        self._lock = threading.Lock()

    def claim(self, owner: str, *, limit: int, lease_s: float) -> Sequence[Claim]:
        """Lease jobs; what is claimed is only known after it."""
        claims = super().claim(owner, limit=limit, lease_s=lease_s)
        for claim in claims:
            with self._write(claim.run_id):
                pass
        return claims

    def release(self, claim: Claim) -> None:
        """Give a lease back."""
        with self._write(claim.run_id):
            super().release(claim)

    def record(
        self, claim: Claim, tasks: Sequence[TaskRecord], status: Status | None = None, error: str | None = None
    ) -> None:
        """Store tasks' states, and the job's."""
        with self._write(claim.run_id):
            super().record(claim, tasks, status, error)

    @contextmanager
    def _write(self, run_id: str) -> "Iterator[None]":
        with self._lock:
            self.counts[run_id] += 1
            number = self.counts[run_id]
        self._hook(run_id, number, "before")
        yield
        self._hook(run_id, number, "after")

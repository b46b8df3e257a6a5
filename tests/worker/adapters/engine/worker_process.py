"""A worker to be killed: `python -m tests.worker.adapters.engine.worker_process DATABASE_URL OWNER LEASE_S`."""

import sys
import time
from datetime import UTC, datetime

from worker.adapters.engine.local import LocalEngine
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.journal import SqlJournal


def main(url: str, owner: str, lease_s: str) -> None:
    """Execute what is in the journal until killed."""
    engine = LocalEngine(
        SqlJournal(Database(url)),
        lambda: datetime.now(tz=UTC),
        owner,
        max_steps=2,
        max_runs=2,
        environment={},
        lease_s=float(lease_s),
    )
    engine.start()
    print("ready", flush=True)
    time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What several processes do to one ledger at once; `python FILE VERB URL NAME…` forks one for each name."""

import os
import random
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta

from tests.worker.adapters.ledger.records import NOW
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger

BEES = [f"bee-{number}" for number in range(6)]
BATCHES, SIZE = 25, 8


def open_it(url: str, name: str) -> None:
    """Open the ledger, print its installation, write."""
    ledger = SqlLedger(Database(url))
    ledger.verify()
    sys.stdout.write(f"{name} {ledger.installation}\n")


def intake(url: str, name: str) -> None:
    """Handle batches as intake does, the same events as every other process, in an order of our own."""
    ledger = SqlLedger(Database(url))
    chance = random.Random(name)
    new = 0
    for batch in range(BATCHES):
        events = [(BEES[(batch + number) % len(BEES)], f"{batch}-{number}") for number in range(SIZE)]
        chance.shuffle(events)
        with ledger.begin() as transaction:
            transaction.lock([bee for bee, _ in events])
            for bee, event in events:
                with transaction.savepoint():
                    if transaction.inbox.arrived("s", event, "t", NOW):
                        transaction.outbox.add(bee, "t", event, 1, NOW + timedelta(seconds=batch), {"by": name})
                        new += 1
    sys.stdout.write(f"{name} {new}\n")


def claim(url: str, name: str) -> None:
    """Claim runs one by one until there are none, and print them."""
    ledger = SqlLedger(Database(url))
    taken: list[str] = []
    while True:
        with ledger.begin() as transaction:
            leases = transaction.runs.claim(name, limit=2, lease_s=600)
        if not leases:
            break
        taken += [lease.run_id for lease in leases]
    sys.stdout.write(f"{name} {' '.join(taken)}\n")


def main(verb: str, url: str, names: Sequence[str]) -> int:
    """Do it in a process of its own for each name; 1 if one of them failed."""
    work = {"open": open_it, "intake": intake, "claim": claim}[verb]
    # Forked while nothing is open: to load all of it takes each a second.
    pids = [_forked(work, url, name) for name in names]
    ends = [os.waitpid(pid, 0)[1] for pid in pids]
    return int(any(ends))


def _forked(work: Callable[[str, str], None], url: str, name: str) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work(url, name)
            sys.stdout.flush()
            code = 0
        except Exception:  # noqa: BLE001 - what would have been the process's traceback
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))

"""What several processes do to one ledger at once; started by `python FILE VERB URL NAME`."""

import random
import sys
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


if __name__ == "__main__":
    verb, url, name = sys.argv[1:]
    {"open": open_it, "intake": intake, "claim": claim}[verb](url, name)

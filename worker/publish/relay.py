"""Relay the outbox: one bee at a time under a lease, what is unpublished, in the order of its sequence."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from worker.clock import Clock
from worker.errors import LeaseLost, TryLater
from worker.ledger import Ledger
from worker.publish.port import Outgoing, Topic

log = structlog.get_logger()

LEASE_S = 20.0
BATCH = 200


@dataclass(frozen=True)
class Relay:
    """Publishes from the ledger; any number of processes may do so beside each other.

    Attributes:
        told: hears of each event that the bus confirmed.
        lease_s: how long a dead process's claim on a bee's events holds, in seconds.
    """

    ledger: Ledger
    topic: Topic
    clock: Clock
    owner: str
    told: Callable[[Outgoing], None] = lambda _: None
    lease_s: float = LEASE_S

    def turn(self) -> int:
        """Publish what waits and return how many events the bus confirmed.

        Raises:
            TryLater: nothing could be published; one bee's fault does not hold the others up.
        """
        with self.ledger.begin(write=False) as transaction:
            bees = transaction.outbox.bees_waiting(100)
        confirmed, fault = 0, None
        for bee in bees:
            try:
                confirmed += self._relay(bee)
            except TryLater as error:
                fault = error
        if fault is not None and not confirmed:
            raise fault
        return confirmed

    def _relay(self, bee: str) -> int:
        with self.ledger.begin() as transaction:
            epoch = transaction.outbox.claim(bee, self.owner, lease_s=self.lease_s)
        if epoch is None:
            return 0
        try:
            return self._publish(bee, epoch)
        except LeaseLost as error:
            log.info("lease lost", bee=bee, reason=str(error))
            return 0
        finally:
            with self.ledger.begin() as transaction:
                transaction.outbox.release(bee, epoch)

    def _publish(self, bee: str, epoch: int) -> int:
        with self.ledger.begin(write=False) as transaction:
            events = transaction.outbox.unpublished(bee, BATCH)
        confirmed = self.topic.publish(events) if events else ()
        if confirmed:
            with self.ledger.begin() as transaction:
                transaction.outbox.holds(bee, epoch)
                transaction.outbox.mark(bee, confirmed, self.clock())
            for event in events:
                if event.id in confirmed:
                    self.told(event)
        return len(confirmed)

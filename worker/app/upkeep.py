"""The loop that keeps house: it measures what the ledger holds, and forgets idempotency keys that are old."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from worker.clock import EPOCH, Clock
from worker.instruments import Instruments
from worker.ledger import Ledger

log = structlog.get_logger()

PRUNE_EVERY = timedelta(hours=1)
_AT_ONCE = 1000


@dataclass
class Upkeep:
    """Used from one thread; however many processes do it, the outcome is the same.

    Attributes:
        keep_keys: how long an Idempotency-Key is remembered.
    """

    ledger: Ledger
    instruments: Instruments
    clock: Clock
    keep_keys: timedelta
    _next: datetime = field(default=EPOCH, init=False)

    def turn(self) -> int:
        """Measure and flush, and once an hour prune; return how many keys were forgotten."""
        self.instruments.look(self.ledger)
        self.instruments.metrics.flush()
        now = self.clock()
        if now < self._next:
            return 0
        forgotten = self._prune(now - self.keep_keys)
        if forgotten < _AT_ONCE:
            self._next = now + PRUNE_EVERY
        return forgotten

    def _prune(self, before: datetime) -> int:
        with self.ledger.begin() as transaction:
            forgotten = transaction.request_keys.forget(before, limit=_AT_ONCE)
        if forgotten:
            log.info("idempotency keys are forgotten", keys=forgotten)
        return forgotten

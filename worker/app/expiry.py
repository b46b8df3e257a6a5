"""The loop that lets old predictions go, in a feature store that keeps its own files: once a day, by one process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from worker.clock import EPOCH, Clock
from worker.features.maintenance import Maintained

log = structlog.get_logger()

EVERY = timedelta(days=1)
#: How often to ask whether it is one's turn.
_ASK_EVERY = timedelta(hours=1)
_LEASE = "predictions/expiry"


@dataclass
class Expiry:
    """Used from one thread.

    Attributes:
        claim: takes, by the database's clock, the right to do something (name, owner) once in a time.
    """

    care: Maintained
    claim: Callable[[str, str, timedelta], bool]
    clock: Clock
    owner: str
    _next: datetime = field(default=EPOCH, init=False)

    def turn(self) -> int:
        """Let go what is due; return 0, for there is no more to do at once."""
        now = self.clock()
        if now < self._next:
            return 0
        self._next = now + _ASK_EVERY
        if self.claim(_LEASE, self.owner, EVERY):
            gone = self.care.expire().values
            if gone:
                log.info("old predictions are gone", values=gone)
        return 0

"""Announces how often features were read: one `feature.accessed` per feature and minute, sampled, past the outbox."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from worker.clock import Clock, to_text
from worker.features.port import Access, FeatureStore
from worker.publish.events import event_id
from worker.publish.port import Outgoing, Topic

TYPE = "feature.accessed"
#: How long after its end a minute is told: until then a process may hold counts of it in memory.
SETTLE = timedelta(seconds=30)
_MOST_WAITING = 10_000


@dataclass
class Accesses:
    """Takes what was read from the feature store and publishes it; any number of processes may do so beside each other.

    What cannot be published waits in memory, and is lost with the process: it is statistics, not a record.

    Attributes:
        share: of features and minutes that are told, 0 to 1; the same ones for everyone.
        told: hears of each event that the bus confirmed.
    """

    features: FeatureStore
    topic: Topic
    clock: Clock
    share: float = 1.0
    told: Callable[[Outgoing], None] = lambda _: None
    _waiting: list[Outgoing] = field(default_factory=list)

    def turn(self) -> int:
        """Publish what was read in the minutes that are over, and return how many events the bus confirmed.

        Raises:
            TryLater: nothing could be published.
        """
        now = self.clock()
        taken = self.features.take_accesses(now - SETTLE)
        self._waiting += [self._event(access, now) for access in taken if self._sampled(access)]
        del self._waiting[:-_MOST_WAITING]
        if not self._waiting:
            return 0
        confirmed = set(self.topic.publish(self._waiting))
        for event in self._waiting:
            if event.id in confirmed:
                self.told(event)
        self._waiting = [event for event in self._waiting if event.id not in confirmed]
        return len(confirmed)

    def _sampled(self, access: Access) -> bool:
        digest = hashlib.sha256(f"{access.feature}\n{to_text(access.minute)}".encode()).digest()
        return int.from_bytes(digest[:8]) < self.share * 2**64

    def _event(self, access: Access, now: datetime) -> Outgoing:
        subject = f"features/{access.feature}"
        data = {
            "feature": access.feature,
            "minute": to_text(access.minute),
            "reads": access.reads,
            "sampleRate": self.share,
        }
        # A minute that some process told late is told again, with the rest: hence the number, not the minute.
        return Outgoing(event_id(TYPE, subject, access.number), TYPE, subject, access.number, now, data)

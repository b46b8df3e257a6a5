"""The loop over features that are watched by themselves: each window once, by whichever worker holds the lease."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from worker.bee import BeeSpec
from worker.clock import Clock
from worker.decide.policy import Policy
from worker.errors import NotFound, Rejected, TryLater
from worker.features.port import FeatureStore
from worker.ledger import Ledger
from worker.monitor.feature_spec import FeatureGroup
from worker.monitor.feature_tell import reports, tell
from worker.monitor.period import Period, newest_due
from worker.monitor.profile import Profile
from worker.monitor.schedule import AGAIN, champion
from worker.publish.port import Outgoing

if TYPE_CHECKING:
    from worker.monitor.feature_look import Champion, Seen

log = structlog.get_logger()

_NAME = 63


@dataclass(frozen=True)
class FeatureWatch:
    """Any number of processes may do this beside each other.

    The newest window that has ended is looked at, also if it ended before the worker came up; older ones that were
    missed are not made up for.

    Attributes:
        publish: puts an event on the intake bus; raises TryLater.
        claim: takes, by the database's clock, the right to do something (name, owner) once in a time.
    """

    ledger: Ledger
    groups: Callable[[], Sequence[FeatureGroup]]
    bees: Callable[[], Mapping[str, BeeSpec]]
    policy: Callable[[], Policy]
    store: Callable[[], FeatureStore]
    publish: Callable[[Outgoing], object]
    clock: Clock
    claim: Callable[[str, str, timedelta], bool]
    owner: str
    _again: dict[str, datetime] = field(default_factory=dict, init=False)

    def turn(self) -> int:
        """Look at what is due and return how many groups of features were.

        Raises:
            TryLater: something is away, or a group cannot be looked at (the others were).
        """
        done, faults = 0, []
        for group in self.groups():
            if group.spec.every is None:
                continue
            try:
                done += self._due(group, group.spec.every)
            except (Rejected, NotFound, TryLater) as error:
                faults.append(f"the monitor of the features in {group.name}: {error}")
        if faults:
            raise TryLater("; ".join(faults))
        return done

    def _due(self, group: FeatureGroup, every: timedelta) -> int:
        now = self.clock()
        due, name = newest_due(now, every, group.spec.delay), occurrence(group.name)
        if now < self._again.get(name, due):
            return 0
        with self.ledger.begin(write=False) as transaction:
            last = transaction.schedules.last(name)
        if last is not None and last >= due:
            return 0
        rest = min(AGAIN, every / 10)
        self._again[name] = now + rest
        if not self.claim(name, self.owner, rest):
            return 0
        return self._look(group, due, now)

    def _look(self, group: FeatureGroup, due: datetime, now: datetime) -> int:
        from worker.monitor.feature_look import Look

        end = due - group.spec.delay
        models, store = champions(self.ledger, self.bees()), self.store()
        window = Period(end - group.spec.length, end)
        seen = Look(store, group, window, due, kept_in(self.ledger), models).see()
        # First what holds retrains back, then what asks for them; the window is done when both are told.
        with self.ledger.begin() as transaction:
            told = tell(seen, transaction, now)
            transaction.features.forget([one.feature for one in seen.profiles], end - group.spec.keep)
        for event in reports(seen, models, self.policy(), store.definitions(), due):
            self.publish(event)
        with self.ledger.begin() as transaction:
            transaction.schedules.take(occurrence(group.name), due, None)
        self._again.pop(occurrence(group.name), None)
        log.info("features are looked at", group=group.name, window=window.id, **_told(seen, told))
        return 1


def champions(ledger: Ledger, bees: Mapping[str, BeeSpec]) -> "list[Champion]":
    """Return the bees that have a version in production, with it."""
    with ledger.begin(write=False) as transaction:
        found = [(bee, champion(transaction.models, bee.bee)) for bee in bees.values()]
    return [(bee, version) for bee, version in found if version is not None]


def kept_in(ledger: Ledger) -> Callable[[str, str], Profile | None]:
    """Return what reads a kept profile by feature and period."""

    def kept(feature: str, period: str) -> Profile | None:
        with ledger.begin(write=False) as transaction:
            return transaction.features.profile(feature, period)

    return kept


def occurrence(group: str) -> str:
    """Return the name of a group's monitor among the schedules; no template's has a slash."""
    name = f"features/{group}"
    return name if len(name) <= _NAME else f"features/{hashlib.sha256(group.encode()).hexdigest()[:32]}"


def _told(seen: "Seen", told: int) -> dict[str, object]:
    return {"features": len(seen.states), "findings": told}

"""The loop over bees that are watched by themselves: each window once, by whichever worker holds the lease."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from worker.bee import BeeSpec
from worker.clock import Clock, to_text
from worker.errors import NotFound, Rejected, TryLater
from worker.ledger import Ledger
from worker.models.port import ModelLedger, ModelVersion
from worker.monitor.period import newest_due
from worker.publish.port import Outgoing

if TYPE_CHECKING:
    from worker.monitor.judge import Asked, Judgement, Monitor

log = structlog.get_logger()

#: How often a window is looked at again whose labels are awaited, or that could not be judged.
AGAIN = timedelta(hours=1)
_NAME = 63


@dataclass(frozen=True)
class Watch:
    """Any number of processes may do this beside each other.

    The newest window that has ended is judged, also if it ended before the worker came up; older ones that were missed
    are not made up for. Labels are awaited for half of `every`; then the window is told with its drift alone.

    Attributes:
        monitor: judges; asked for first when something is due, since it loads much.
        publish: puts an event on the intake bus; raises TryLater.
        claim: takes, by the database's clock, the right to do something (name, owner) once in a time.
    """

    ledger: Ledger
    bees: Callable[[], Mapping[str, BeeSpec]]
    monitor: "Callable[[], Monitor]"
    publish: Callable[[Outgoing], object]
    clock: Clock
    claim: Callable[[str, str, timedelta], bool]
    owner: str
    _again: dict[str, datetime] = field(default_factory=dict, init=False)

    def turn(self) -> int:
        """Judge what is due and return how many windows were told.

        Raises:
            TryLater: something is away, or a bee cannot be judged (the others were).
        """
        done, faults = 0, []
        for bee in self.bees().values():
            if bee.monitor.every is None:
                continue
            try:
                done += self._look(bee, bee.monitor.every)
            except (Rejected, NotFound, TryLater) as error:
                faults.append(f"the monitor of {bee.bee}: {error}")
        if faults:
            raise TryLater("; ".join(faults))
        return done

    def _look(self, bee: BeeSpec, every: timedelta) -> int:
        now = self.clock()
        due, name = newest_due(now, every, bee.monitor.label_delay), occurrence(bee.bee)
        if now < self._again.get(bee.bee, due):
            return 0
        with self.ledger.begin(write=False) as transaction:
            last, versions = transaction.schedules.last(name), live(transaction.models, bee.bee)
        if not versions or (last is not None and last >= due):
            return 0
        rest = min(AGAIN, every / 10)
        self._again[bee.bee] = now + rest
        if not self.claim(name, self.owner, rest):
            return 0
        return self._judge(bee, versions, due, now)

    def _judge(self, bee: BeeSpec, versions: Sequence[ModelVersion], due: datetime, now: datetime) -> int:
        from worker.monitor.event import outgoing

        judgement = self.monitor().judge(_asked(bee, versions[0], due, now))
        patience = (bee.monitor.every or timedelta(0)) / 2
        if not judgement.complete and now < due + patience:
            log.info("the window's labels are awaited", bee=bee.bee, **_told(judgement))
            return 0
        # The champion's last: whoever is interrupted in between begins again, and the same events count once.
        told = [*self._others(bee, versions[1:], due, now), judgement]
        for one in told:
            self.publish(outgoing(one))
        with self.ledger.begin() as transaction:
            transaction.schedules.take(occurrence(bee.bee), due, None)
        self._again.pop(bee.bee, None)
        log.info("the model in production is judged", bee=bee.bee, **_told(judgement))
        return 1

    def _others(
        self, bee: BeeSpec, versions: Sequence[ModelVersion], due: datetime, now: datetime
    ) -> "list[Judgement]":
        """Judge those that are live beside the champion on the same window; one that cannot be is passed over."""
        found = []
        for version in versions:
            try:
                judgement = self.monitor().judge(_asked(bee, version, due, now))
            except (Rejected, NotFound) as error:
                log.warning("a live version cannot be judged", bee=bee.bee, version=version.version, reason=str(error))
                continue
            if judgement.complete:
                found.append(judgement)
        return found


def _asked(bee: BeeSpec, version: ModelVersion, due: datetime, now: datetime) -> "Asked":
    from worker.monitor.judge import Asked
    from worker.monitor.period import window_at

    return Asked(bee, version, now, window_at(due, bee.monitor), bee.monitor.reference)


def champion(models: ModelLedger, bee: str) -> ModelVersion | None:
    """Return the version in production, None where there is none."""
    deployment = models.champion(bee)
    return None if deployment is None else models.get(bee, deployment.version)


def live(models: ModelLedger, bee: str) -> list[ModelVersion]:
    """Return the champion and then what else is live beside it, served or only scored; nothing where there is none."""
    deployment = models.champion(bee)
    if deployment is None:
        return []
    traffic = deployment.traffic
    names = dict.fromkeys((deployment.version, *(version for version, _ in traffic.split), *traffic.shadow))
    return [version for version in (models.get(bee, name) for name in names) if version is not None]


def occurrence(bee: str) -> str:
    """Return the name of a bee's monitor among the schedules; no template's has a slash."""
    name = f"monitor/{bee}"
    return name if len(name) <= _NAME else f"monitor/{hashlib.sha256(bee.encode()).hexdigest()[:32]}"


def _told(judgement: "Judgement") -> dict[str, object]:
    asked = judgement.asked
    drift = judgement.drift.severity if judgement.drift else None
    return {
        "version": asked.version.version,
        "window": asked.window.id,
        "rows": judgement.results.rows,
        "labelled": judgement.labelled,
        "drift": drift,
        "as_of": to_text(asked.as_of),
    }

"""What a replay found: each policy's curve, what it did, and what that cost; in values and as JSON; pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from worker.backtest.scoring import Point
from worker.clock import to_text
from worker.monitor.period import Period


class Policy(StrEnum):
    """How a model in production is dealt with."""

    MANAGED = "managed"
    NEVER = "never"
    WEEKLY = "weekly"


class Kind(StrEnum):
    """What happened to what is in production."""

    RETRAINED = "retrained"
    DEPLOYED = "deployed"
    REFUSED = "refused"
    BEGUN = "rollout begun"
    ADVANCED = "rollout advanced"
    ROLLED_BACK = "rolled back"
    FAILED = "failed"
    ESCALATED = "escalated"


@dataclass(frozen=True)
class Change:
    """Something that happened, when, with which version, and why."""

    at: datetime
    kind: Kind
    version: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class Arm:
    """One policy's history.

    Attributes:
        points: one per period.
        changes: in order.
        cost: of its retrains, in the currency of the prices; None where one is not known.
        cpu_s: CPU seconds of its retrains.
    """

    policy: Policy
    points: tuple[Point, ...]
    changes: tuple[Change, ...] = ()
    cost: float | None = 0.0
    cpu_s: float = 0.0

    @property
    def counts(self) -> Counter[Kind]:
        """How often each kind of change happened."""
        return Counter(change.kind for change in self.changes)

    @property
    def metric(self) -> float | None:
        """The metric over all rows."""
        return self.points[-1].cumulative if self.points else None


@dataclass(frozen=True)
class Report:
    """The whole replay.

    Attributes:
        counts: rows, and positives where the task has them, of each period.
        first: when the first champion was there, and what it was.
    """

    bee: str
    task: str
    metric: str
    lower_is_better: bool
    every_s: float
    periods: tuple[Period, ...]
    counts: tuple[tuple[int, int | None], ...]
    arms: tuple[Arm, ...]
    first: Change

    def to_json(self) -> dict[str, Any]:
        """Return it in JSON's own types; what is undefined is null."""
        return {
            "beeId": self.bee,
            "task": self.task,
            "metric": self.metric,
            "lowerIsBetter": self.lower_is_better,
            "from": to_text(self.periods[0].start),
            "until": to_text(self.periods[-1].end),
            "everySeconds": self.every_s,
            "rows": sum(rows for rows, _ in self.counts),
            "firstChampion": _change(self.first),
            "policies": {arm.policy.value: _arm(arm) for arm in self.arms},
            "periods": [self._period(place) for place in range(len(self.periods))],
        }

    def _period(self, place: int) -> dict[str, Any]:
        (rows, positives), period = self.counts[place], self.periods[place]
        return {
            "id": period.id,
            "start": to_text(period.start),
            "end": to_text(period.end),
            "rows": rows,
            **({} if positives is None else {"positives": positives}),
            "policies": {arm.policy.value: _point(arm.points[place]) for arm in self.arms},
        }


def best(arms: Sequence[Arm], *, lower_is_better: bool) -> float | None:
    """Return the best metric of all arms, None where none is defined."""
    found = [arm.metric for arm in arms if arm.metric is not None]
    return None if not found else min(found) if lower_is_better else max(found)


def _arm(arm: Arm) -> dict[str, Any]:
    counts = arm.counts
    return {
        "metric": arm.metric,
        "retrains": counts[Kind.RETRAINED],
        "deployments": counts[Kind.DEPLOYED],
        "refused": counts[Kind.REFUSED],
        "rolledBack": counts[Kind.ROLLED_BACK],
        "failed": counts[Kind.FAILED],
        "escalated": counts[Kind.ESCALATED],
        "cost": arm.cost,
        "cpuSeconds": round(arm.cpu_s, 3),
        "changes": [_change(change) for change in arm.changes],
    }


def _change(change: Change) -> dict[str, Any]:
    return {"at": to_text(change.at), "what": change.kind.value, "version": change.version, "reason": change.reason}


def _point(point: Point) -> dict[str, Any]:
    return {"metric": point.value, "cumulative": point.cumulative, "served": point.served}

"""What is drawn of a bee: its evaluations over time in bounded memory, however many there were."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from worker.decide.decision import Action
from worker.decide.policy import MetricRule

#: So many points are kept of a bee; one more, and pairs of them become one.
MAX_POINTS = 2048
#: So many marks of a kind are kept of a bee; of more, every other one goes.
MAX_MARKS = 512

#: What is marked in the plot, the most telling first: of points that become one this decides what is shown.
RANK = (Action.TRIGGER, Action.HELD, Action.ATTACHED, Action.REFUSED, Action.STALE, Action.NONE)


@dataclass(frozen=True, slots=True)
class Point:
    """One evaluation, or several that lie side by side.

    Attributes:
        at: of the first of them.
        low, high: the metric's least and greatest value; None where it was undefined.
        baseline: what a drop is measured against.
        limit: the level beyond which the drop fires.
        action: the most telling conclusion.
    """

    at: datetime
    low: float | None
    high: float | None
    baseline: float | None
    limit: float | None
    action: Action

    def with_next(self, other: "Point") -> "Point":
        """Return one point for this one and a later one."""
        lows = [value for value in (self.low, other.low) if value is not None]
        highs = [value for value in (self.high, other.high) if value is not None]
        return Point(
            min(self.at, other.at),
            min(lows, default=None),
            max(highs, default=None),
            self.baseline if other.baseline is None else other.baseline,
            self.limit if other.limit is None else other.limit,
            min(self.action, other.action, key=RANK.index),
        )


@dataclass(slots=True)
class Series:
    """A bee's points in the order of their coming, and the times of what is marked beside them."""

    metric: str
    floor: float | None = None
    points: list[Point] = field(default_factory=list)
    marks: dict[str, list[datetime]] = field(default_factory=dict)
    _stride: int = 1
    _pending: Point | None = None
    _held: int = 0

    def add(self, point: Point) -> None:
        """Take one evaluation."""
        self._pending = point if self._pending is None else self._pending.with_next(point)
        self._held += 1
        if self._held == self._stride:
            self.finish()
        if len(self.points) >= MAX_POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=True)
            self.points = [first.with_next(second) for first, second in pairs]
            self._stride *= 2

    def mark(self, name: str, at: datetime) -> None:
        """Note that something happened."""
        marks = self.marks.setdefault(name, [])
        marks.append(at)
        if len(marks) > MAX_MARKS:
            del marks[1::2]

    def finish(self) -> None:
        """Take what is pending as a point."""
        if self._pending is not None:
            self.points.append(self._pending)
            self._pending, self._held = None, 0


def limit_of(rule: MetricRule, baseline: Decimal | None, *, lower_is_better: bool) -> float | None:
    """Return the level beyond which a drop from the baseline fires."""
    if rule.max_drop is None or baseline is None or baseline == 0:
        return None
    margin = rule.max_drop * abs(baseline)
    return float(baseline + margin if lower_is_better else baseline - margin)

"""The walk through event time."""

from datetime import UTC, datetime, timedelta

from worker.backtest.walk import live_until, walk
from worker.errors import Rejected

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class _Bee:
    """Notes what it is asked, and has things that are due."""

    def __init__(self, dues: tuple[int, ...] = (), *, complete: bool = True, fault: bool = False) -> None:
        self.now, self.story = START, list[str]()
        self._dues, self._complete, self._fault = [START + day * DAY for day in dues], complete, fault

    def advance(self, moment: datetime) -> None:
        assert moment >= self.now, "time goes on"
        self.now = moment

    def due(self) -> datetime | None:
        return min((due for due in self._dues if due > self.now), default=None)

    def act(self) -> None:
        acted = [due for due in self._dues if due <= self.now]
        self._dues = [due for due in self._dues if due > self.now]
        self.story += [f"act {self._day()}" for _ in acted]

    def judge(self, due: datetime, *, last: bool) -> bool:
        self.story.append(f"judge {(due - START).days} on {self._day()}{' at last' if last else ''}")
        if self._fault:
            raise Rejected("no features", field="x")
        return self._complete or last

    def _day(self) -> float:
        return (self.now - START) / DAY


def test_what_is_due_happens_when_it_is_due() -> None:
    """A timer between two judgements has its own time; one at a judgement's time comes before it."""
    bee = _Bee((2, 7, 12))

    walk(bee, [START + 7 * DAY, START + 14 * DAY], 3.5 * DAY, print)

    assert bee.story == ["act 2.0", "act 7.0", "judge 7 on 7.0", "act 12.0", "judge 14 on 14.0"]


def test_labels_are_awaited_and_then_the_window_is_told_without_them() -> None:
    """The second look comes after the patience, with what else is due before it."""
    bee = _Bee((9,), complete=False)

    walk(bee, [START + 7 * DAY], 3.5 * DAY, print)

    assert bee.story == ["judge 7 on 7.0", "act 9.0", "judge 7 on 10.5 at last"]


def test_a_window_that_cannot_be_judged_stops_nothing() -> None:
    """Its reason is told, and the next one is judged."""
    bee, told = _Bee(fault=True), list[str]()

    walk(bee, [START + 7 * DAY, START + 14 * DAY], DAY, told.append)

    assert bee.story == ["judge 7 on 7.0", "judge 14 on 14.0"]
    assert len(told) == 2
    assert "2024-01-08 cannot be judged: x: no features" in told[0]


def test_the_last_days_are_lived_through_too() -> None:
    """What is due before the end happens, what is due at the end does not."""
    bee = _Bee((1, 3, 5))

    live_until(bee, START + 5 * DAY)

    assert bee.story == ["act 1.0", "act 3.0"]

"""What deciding remembers between evaluations, of one bee and of the colony: values, and the only ways they change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from worker.decide.windows import Windows
from worker.frozen import made

#: How many failures are remembered: enough for any breaker.
MAX_FAILURES = 64


@dataclass(frozen=True)
class Pause:
    """A person's word that nothing is to be started; `until` None: until it is taken back."""

    reason: str
    by: str
    since: datetime
    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Tell whether it still holds."""
        return self.until is None or now < self.until


@dataclass(frozen=True)
class Tally:
    """What was begun and spent, and what went wrong, lately.

    Attributes:
        failures: when runs failed or were refused, oldest first.
        open_until: the breaker is open till then; None while it is closed.
        trial: the breaker is half-open, and one run is out to try whether all is well again.
        day, runs: how many runs were begun on the newest day.
        month, cost: what the runs of the newest month cost, those in flight by estimate.
    """

    failures: tuple[datetime, ...] = ()
    open_until: datetime | None = None
    trial: bool = False
    day: str = ""
    runs: int = 0
    month: str = ""
    cost: Decimal = Decimal(0)

    def begun(self, now: datetime, estimate: Decimal) -> "Tally":
        """Return it after one more run was begun; one begun while the breaker is half-open is its trial."""
        same_day, same_month = self.day == day_of(now), self.month == month_of(now)
        return replace(
            self,
            trial=self.open_until is not None,
            day=day_of(now),
            runs=self.runs + 1 if same_day else 1,
            month=month_of(now),
            cost=(self.cost if same_month else Decimal(0)) + estimate,
        )

    def settled(self, now: datetime, *, correction: Decimal) -> "Tally":
        """Return it after a run's cost became known: the estimate is replaced, in the month that it is."""
        if self.month != month_of(now):
            return replace(self, month=month_of(now), cost=max(correction, Decimal(0)))
        return replace(self, cost=max(self.cost + correction, Decimal(0)))

    def corrected(self, month: str, correction: Decimal) -> "Tally":
        """Return it after the bill of a run of that month came; of a month that is over nothing is counted any more."""
        return replace(self, cost=max(self.cost + correction, Decimal(0))) if self.month == month else self

    def went_well(self) -> "Tally":
        """Return it after a run that deployed: what failed before is forgiven, the breaker closes."""
        return replace(self, failures=(), open_until=None, trial=False)

    def called_off(self) -> "Tally":
        """Return it after a run that was cancelled: nothing went wrong, and a trial that was none may be repeated."""
        return replace(self, trial=False)

    def went_wrong(self, now: datetime, limit: int | None, within: timedelta, pause: timedelta) -> "Tally":
        """Return it after a run that failed or was refused; too many open the breaker, a failed trial does so again."""
        recent = tuple(at for at in (*self.failures, now) if now - at <= within)[-MAX_FAILURES:]
        opens = limit is not None and (len(recent) >= limit or self.trial)
        return replace(self, failures=recent, open_until=now + pause if opens else self.open_until, trial=False)

    def runs_on(self, now: datetime) -> int:
        """Return how many runs were begun on the day of `now`."""
        return self.runs if self.day == day_of(now) else 0

    def cost_in(self, now: datetime) -> Decimal:
        """Return what the runs of the month of `now` cost."""
        return self.cost if self.month == month_of(now) else Decimal(0)


@dataclass(frozen=True)
class BeeMemory:
    """What is remembered of one bee.

    Attributes:
        version: the version that `windows` and `bad` are of.
        windows: its newest distinct data windows that had evidence, oldest first.
        bad: it was bad when last judged with evidence: hysteresis goes by that.
        acted_event, acted_wall: event time and clock of the last action, for the cooldown.
        heard: when the last evaluation came in, by the clock; `missing_told`: that none came since was told.
    """

    version: str = ""
    windows: Windows = field(default_factory=Windows)
    bad: bool = False
    acted_event: datetime | None = None
    acted_wall: datetime | None = None
    heard: datetime | None = None
    missing_told: bool = False
    tally: Tally = field(default_factory=Tally)
    pause: Pause | None = None

    def of(self, version: str) -> "BeeMemory":
        """Return it as it is for a version: another one begins with no windows."""
        return self if self.version == version else replace(self, version=version, windows=Windows(), bad=False)

    def saw(self, key: str, *, bad: bool) -> "BeeMemory":
        """Return it with one window judged; the same window again replaces what was concluded from it."""
        return self._with({"windows": self.windows.saw(key, bad=bad), "bad": bad})

    def hears(self, now: datetime) -> "BeeMemory":
        """Return it after an evaluation came in."""
        return self._with({"heard": now, "missing_told": False})

    def _with(self, changes: Mapping[str, Any]) -> "BeeMemory":
        """Return it with other values; `replace` would be much of the work that an evaluation makes."""
        values = self.__dict__.copy()
        values.update(changes)
        return made(BeeMemory, values)

    def acted(self, event_time: datetime, now: datetime) -> "BeeMemory":
        """Return it after an action: its windows have had their effect, the cooldown begins."""
        return replace(self, windows=self.windows.acted(), acted_event=event_time, acted_wall=now)

    def count(self, of: int) -> int:
        """Return how many of the newest `of` windows are bad and have not led to an action yet."""
        return self.windows.count(of)


@dataclass(frozen=True)
class ColonyMemory:
    """What is remembered of all bees together."""

    tally: Tally = field(default_factory=Tally)
    pause: Pause | None = None


def day_of(moment: datetime) -> str:
    """Return the UTC day of a time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d")


def month_of(moment: datetime) -> str:
    """Return the UTC month of a time."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def next_day(now: datetime) -> datetime:
    """Return the next UTC midnight."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def next_month(now: datetime) -> datetime:
    """Return the beginning of the next UTC month."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def newest(times: Iterable[datetime | None]) -> datetime | None:
    """Return the newest of the times that are there."""
    return max((time for time in times if time is not None), default=None)

"""How long a bee was bad: from the first evaluation that a policy calls bad to the next that it calls well."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

#: So many periods of a bee are kept one by one; all of them are counted and added up.
MAX_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Period:
    """One bad period, in event time.

    Attributes:
        end: of the first evaluation that found it well, or that was another version's; None while it lasts.
        last: the newest evaluation in it.
        evaluations: how many of its evaluations had a rule fire.
        runs: how many runs began in it, the first of them at `first_run`.
    """

    version: str
    begin: datetime
    last: datetime
    end: datetime | None = None
    evaluations: int = 0
    runs: int = 0
    first_run: datetime | None = None

    @property
    def lasted(self) -> timedelta:
        """Return how long it lasted; one that has not ended, until its newest evaluation."""
        return max((self.end or self.last) - self.begin, timedelta(0))


@dataclass(slots=True)
class Periods:
    """The bad periods of one bee; `total` and `longest` are of all, also of those that are not kept."""

    count: int = 0
    total: timedelta = timedelta(0)
    longest: timedelta = timedelta(0)
    kept: list[Period] = field(default_factory=list)
    now: Period | None = None
    _early: datetime | None = None

    def saw(self, version: str, at: datetime, *, bad: bool, fired: bool) -> None:
        """Take an evaluation that was judged: `bad` is what the bee is held for after it."""
        current = self.now
        if current is None and not bad:
            self._early = None
            return
        if current is None:
            self.count += 1
            current = Period(version, at, at, runs=1 if self._early else 0, first_run=self._early)
        self._early = None
        if bad:
            last, more = max(current.last, at), current.evaluations + fired
            self.now = replace(current, last=last, evaluations=more)
        else:
            self._ended(replace(current, end=max(current.last, at)))

    def began(self, now: datetime) -> None:
        """A run has begun; that of the evaluation which opens a period is told just before it."""
        if self.now is None:
            self._early = now
        else:
            self.now = replace(self.now, runs=self.now.runs + 1, first_run=self.now.first_run or now)

    def ended(self) -> None:
        """The recording has ended: what still lasts is counted until its newest evaluation."""
        if self.now is not None:
            self._ended(self.now)

    def _ended(self, period: Period) -> None:
        self.now = None
        self.total += period.lasted
        self.longest = max(self.longest, period.lasted)
        if len(self.kept) < MAX_KEPT:
            self.kept.append(period)

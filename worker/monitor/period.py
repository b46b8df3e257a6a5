"""Which window is looked at, when, and whether enough of its labels are in; pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.bee import MonitorSpec
from worker.clock import EPOCH, to_text

#: What `reference: previous` means.
PREVIOUS = timedelta(days=30)


@dataclass(frozen=True)
class Period:
    """From `start`, up to but not including `end`."""

    start: datetime
    end: datetime

    @property
    def id(self) -> str:
        """Its name in events: its days, or its times where it does not begin and end with a day."""
        texts = [to_text(moment) for moment in (self.start, self.end)]
        return "..".join(text[:10] for text in texts) if all(_midnight(text) for text in texts) else "..".join(texts)


@dataclass(frozen=True)
class Named(Period):
    """A period with a name of its own."""

    name: str = ""

    @property
    def id(self) -> str:
        """Its name."""
        return self.name


def window_at(as_of: datetime, spec: MonitorSpec, window: timedelta | None = None) -> Period:
    """Return the window that is looked at as of a time: it ended `labelDelay` before."""
    end = as_of - spec.label_delay
    return Period(end - (window or spec.window), end)


def newest_due(now: datetime, every: timedelta, delay: timedelta) -> datetime:
    """Return the time at which the newest window is to be looked at: its end is a whole multiple of `every`."""
    passed = (now - delay - EPOCH) // every
    return EPOCH + passed * every + delay


def labelled_share(entities: Collection[str], labelled: Collection[str]) -> float | None:
    """Return which share of the entities that were seen has a label, None if none was seen."""
    seen = set(entities)
    return len(seen.intersection(labelled)) / len(seen) if seen else None


def enough(now: float | None, usual: float | None, least: float) -> bool:
    """Tell whether so large a share of labels is in: at least `least` of what is usual, where both are known."""
    return now is None or usual is None or now >= least * usual


def _midnight(text: str) -> bool:
    return text.endswith("T00:00:00Z")

"""What is known of a challenger beside its champion at one look; values only."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from worker.evidence.interval import Interval

Source = Literal["outcomes", "events", "served"]


@dataclass(frozen=True)
class Compared:
    """One metric of both versions since the rollout began; positive differences mean that the challenger is better.

    Attributes:
        count: labelled rows on which both were scored, or samples that the events of both versions tell.
        champion, challenger: the metric's own values; None: undefined.
        difference: turned so that positive is better, whichever way the metric goes.
        lower, upper: where the difference lies, valid however often it is looked at; None: infinite, nothing known.
        source: labelled rows in the feature store, `model.evaluated` events of both versions, or what the prediction
            log tells of the answers that each served.
        asymptotic: the interval is right for many rows only, so that few of them prove nothing.
    """

    metric: str
    count: int = 0
    champion: float | None = None
    challenger: float | None = None
    difference: float | None = None
    lower: float | None = None
    upper: float | None = None
    source: Source = "outcomes"
    asymptotic: bool = False

    @property
    def interval(self) -> Interval:
        """Where the difference lies."""
        lower, upper = self.lower, self.upper
        return Interval(-math.inf if lower is None else lower, math.inf if upper is None else upper)

    @property
    def known(self) -> bool:
        """Whether there is evidence of both versions at all."""
        return self.count > 0 and self.difference is not None

    def words(self) -> str:
        """Return the numbers as a person reads them."""
        if not self.known:
            return f"{self.metric}: no evidence of both versions yet"
        lower, upper = (_shown(end) for end in (self.lower, self.upper))
        what = _SOURCES[self.source]
        change = f"{self.metric} {_shown(self.champion)} → {_shown(self.challenger)}"
        return f"{change} (interval of the gain {lower} to {upper}, {self.count} {what})"

    def printed(self) -> dict[str, Any]:
        """Return the numbers as events, the API and the command line tell them."""
        return {
            "metric": self.metric,
            "source": self.source,
            "count": self.count,
            "champion": self.champion,
            "challenger": self.challenger,
            "difference": self.difference,
            "lower": self.lower,
            "upper": self.upper,
        }


@dataclass(frozen=True)
class Evidence:
    """Everything that a look goes by: a pure function of what is stored, so any replica may make it anew.

    Attributes:
        rollout: the id of the rollout that it is about.
        step: the step that the rollout was at when it was read (0 for the first); it advances no other.
        as_of: what was known by then counts; the times of the rollout go by it.
        primary: the compared metric over the whole rollout.
        guards: metric -> the same of each guard; one that nobody tells may be left out.
        step_outcomes: how many of the primary's outcomes came in since the step began.
    """

    rollout: str
    step: int
    as_of: datetime
    primary: Compared
    guards: Mapping[str, Compared] = field(default_factory=dict)
    step_outcomes: int = 0


_SOURCES: Mapping[Source, str] = {
    "outcomes": "labelled rows",
    "events": "samples told by events",
    "served": "logged predictions",
}


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"

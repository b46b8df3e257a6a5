"""From where to where a mean lies; pure, and without numpy, so that state machines may import it."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A closed interval; an end of which nothing is known is infinite."""

    lower: float
    upper: float

    def negated(self) -> "Interval":
        """Return the interval of the negated mean: of a metric of which less is better."""
        return Interval(-self.upper, -self.lower)

    def scaled(self, factor: float) -> "Interval":
        """Return the interval of the mean times a factor of 0 or more."""
        return Interval(self.lower * factor, self.upper * factor) if factor else Interval(0.0, 0.0)

    def finite(self) -> tuple[float | None, float | None]:
        """Return both ends as JSON can tell them: None where infinite."""
        lower, upper = (end if math.isfinite(end) else None for end in (self.lower, self.upper))
        return lower, upper


EVERYTHING = Interval(-math.inf, math.inf)

"""What an interval of a difference says about a challenger; pure."""

from enum import StrEnum

from worker.evidence.interval import Interval


class Verdict(StrEnum):
    """What is proven of a challenger, by a difference whose positive side means that the challenger is better."""

    BETTER = "better"
    NOT_WORSE = "not_worse"
    WORSE = "worse"
    OPEN = "open"


def verdict(difference: Interval, margin: float) -> Verdict:
    """Return what is proven, the best first: one that is worse by less than the margin is not worse.

    Args:
        difference: of the means, challenger minus champion, its sign such that positive is better.
        margin: by so much the challenger may be worse (non-inferiority), 0 or more, in the difference's unit.
    """
    if difference.lower > 0:
        return Verdict.BETTER
    if difference.lower > -margin:
        return Verdict.NOT_WORSE
    return Verdict.WORSE if difference.upper < 0 else Verdict.OPEN

"""Verdicts of intervals."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.evidence.interval import EVERYTHING, Interval
from worker.evidence.verdict import Verdict, verdict


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        (0.01, 0.2, Verdict.BETTER),
        (0.0, 0.2, Verdict.NOT_WORSE),
        (-0.04, 0.2, Verdict.NOT_WORSE),
        (-0.04, -0.01, Verdict.NOT_WORSE),
        (-0.05, 0.2, Verdict.OPEN),
        (-0.2, 0.0, Verdict.OPEN),
        (-0.2, -0.01, Verdict.WORSE),
        (-math.inf, math.inf, Verdict.OPEN),
    ],
)
def test_a_margin_divides_what_is_worse_from_what_is_not(lower: float, upper: float, expected: Verdict) -> None:
    """The ends of the interval, against zero and the margin of 0.05, decide; touching either proves nothing."""
    assert verdict(Interval(lower, upper), 0.05) is expected


def test_without_a_margin_only_better_or_worse_can_be_proven() -> None:
    """At a margin of zero, not worse means better."""
    assert verdict(Interval(0.0, 0.1), 0.0) is Verdict.OPEN
    assert verdict(Interval(1e-9, 0.1), 0.0) is Verdict.BETTER


_END = st.floats(-1, 1)


@given(_END, _END, st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_wider_margin_never_makes_a_challenger_worse(one: float, other: float, margin: float, more: float) -> None:
    """What is better or not worse stays so, and what becomes worse with a wider margin is nothing."""
    interval = Interval(min(one, other), max(one, other))
    order = [Verdict.WORSE, Verdict.OPEN, Verdict.NOT_WORSE, Verdict.BETTER]
    before, after = verdict(interval, margin), verdict(interval, margin + more)
    assert order.index(after) >= order.index(before)


@given(_END, _END)
def test_a_metric_of_which_less_is_better_is_negated(one: float, other: float) -> None:
    """Negating twice gives the interval back, and keeps the lower end the lower."""
    interval = Interval(min(one, other), max(one, other))
    assert interval.negated().lower <= interval.negated().upper
    assert interval.negated().negated() == interval


def test_json_is_told_nothing_infinite() -> None:
    """An open end is None."""
    assert EVERYTHING.finite() == (None, None)
    assert Interval(-0.5, math.inf).finite() == (-0.5, None)

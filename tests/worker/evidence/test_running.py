"""Sequences of intervals of a mean."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from worker.errors import Rejected
from worker.evidence.running import FEWEST_UNBOUNDED, Interval, Running, difference
from worker.evidence.verdict import Verdict, verdict

Floats = NDArray[np.float64]
_VALUES = st.lists(st.floats(-1, 1), min_size=1, max_size=60)
_KINDS = [Running.of((-1.0, 1.0)), Running.of(None), Running.of((-1.0, 1.0), binary=True)]


@pytest.mark.parametrize("begun", _KINDS)
@given(_VALUES, st.lists(st.integers(0, 60), max_size=5))
def test_batches_change_nothing(begun: Running, values: list[float], cuts: list[int]) -> None:
    """The state is the same to the last bit however the observations were cut, empty batches included."""
    told = _told(begun, values)
    at_once, edges = begun.add(told), [0, *sorted(cuts), len(told)]
    piece = begun
    for start, end in itertools.pairwise(edges):
        piece = piece.add(told[start:end])
    assert piece == at_once


@given(_VALUES)
def test_the_moments_are_numpys(values: list[float]) -> None:
    """Mean and standard deviation agree with numpy's of all values."""
    running = Running.of(None).add(np.array(values) + 1e6)
    assert running.mean == pytest.approx(np.mean(values) + 1e6, abs=1e-8)
    if len(values) > 1:
        assert running.deviation == pytest.approx(np.std(values, ddof=1), abs=1e-6)


@given(_VALUES)
def test_each_value_is_predicted_by_those_before_it(values: list[float]) -> None:
    """The variation is the sum over squared distances from the mean of the middle and all earlier values."""
    expected = sum((value - sum(values[:place]) / (place + 1)) ** 2 for place, value in enumerate(values))
    assert Running.of((-1.0, 1.0)).add(values).variation == pytest.approx(expected)


@pytest.mark.parametrize("begun", [one for one in _KINDS if one.bounds])
def test_evidence_and_reach_are_each_others_inverse(begun: Running) -> None:
    """At the distance that so much evidence reaches there is so much, on either side."""
    stream = begun.add(np.where(np.random.default_rng(8).random(400) < 0.4, 1.0, -1.0))
    for side in stream.sides():
        for wanted in (0.5, 3.0, 6.0):
            assert side.evidence(side.reach(wanted)) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("begun", _KINDS)
@given(_VALUES, st.floats(0.001, 0.3))
def test_an_interval_holds_its_mean_and_lies_within_the_bounds(
    begun: Running, values: list[float], alpha: float
) -> None:
    """Lower ≤ mean ≤ upper, within the bounds, and a surer interval is wider."""
    running = begun.add(_told(begun, values))
    found, surer = running.interval(alpha), running.interval(alpha / 2)
    assert running.mean is not None
    assert found.lower - 1e-12 <= running.mean <= found.upper + 1e-12
    assert surer.lower <= found.lower
    assert surer.upper >= found.upper
    if begun.bounds is not None:
        assert begun.bounds[0] <= found.lower <= found.upper <= begun.bounds[1]


@given(_VALUES)
def test_the_state_survives_json(values: list[float]) -> None:
    """Written as strict JSON and read back it is the same, and goes on alike."""
    for running in (Running.of((-1.0, 1.0)).add(values), Running.of(None).add(values), Running.of((0, 1), binary=True)):
        back = Running.decoded(json.loads(json.dumps(running.encoded(), allow_nan=False)))
        assert back == running
        assert back.add([0.0, 1.0]) == running.add([0.0, 1.0])


def test_nothing_is_known_of_an_empty_stream() -> None:
    """Its mean is unknown, and lies anywhere within the bounds."""
    assert Running.of(None).interval(0.05) == Interval(-math.inf, math.inf)
    assert Running.of((0.0, 1.0)).interval(0.05) == Interval(0.0, 1.0)
    assert Running.of((0.0, 1.0), binary=True).interval(0.05) == Interval(0.0, 1.0)
    assert Running.of((0.0, 1.0)).mean is None
    assert Running.of((0.0, 1.0)).add([0.5]).deviation is None


def test_a_few_unbounded_values_prove_nothing() -> None:
    """Below the fewest the interval is infinite, also of a difference; from then on it is not."""
    few, enough = (Running.of(None).add(np.arange(count) % 7) for count in (FEWEST_UNBOUNDED - 1, FEWEST_UNBOUNDED))
    assert few.interval(0.05).finite() == (None, None)
    assert None not in enough.interval(0.05).finite()
    assert difference(few, enough, 0.05).finite() == (None, None)
    assert None not in difference(enough, enough, 0.05).finite()


def test_skewed_or_equal_values_prove_nothing_until_there_are_more() -> None:
    """One among two hundred, or none at all, would have an interval that is far too sure: it is infinite still."""
    rare = np.zeros(200)
    rare[150] = 1.0
    assert Running.of(None).add(rare).interval(0.05).finite() == (None, None)
    assert Running.of(None).add(np.ones(5000)).interval(0.05).finite() == (None, None)
    assert None not in Running.of(None).add(np.tile(rare, 20)).interval(0.05).finite()


@pytest.mark.parametrize(
    ("begun", "values", "field"),
    [
        (Running.of((0.0, 1.0)), [0.5, 1.2], "bounds"),
        (Running.of((0.0, 1.0)), [math.nan], "values"),
        (Running.of(None), [math.inf], "values"),
        (Running.of((0.0, 1.0), binary=True), [0.5], "binary"),
    ],
)
def test_what_breaks_the_promise_is_refused(begun: Running, values: list[float], field: str) -> None:
    """Values beyond the bounds, between the two of a binary stream, or not finite would void the guarantee."""
    with pytest.raises(Rejected) as caught:
        begun.add(values)
    assert caught.value.field == field


def test_bounds_must_bound() -> None:
    """Reversed, equal or infinite bounds are refused, and a binary stream without any."""
    for bounds in ((1.0, 0.0), (1.0, 1.0), (0.0, math.inf)):
        with pytest.raises(Rejected):
            Running.of(bounds)
    with pytest.raises(Rejected):
        Running.of(None, binary=True)


def test_rounding_beyond_a_bound_is_no_breach() -> None:
    """0.1 + 0.2 + 0.7 is 1 within a share of 1."""
    assert Running.of((0.0, 1.0)).add([1.0000000000000002]).count == 1


def _missed(running: Running, truth: float, generator: np.random.Generator) -> bool:
    """Tell whether one stream's interval leaves out the truth at one of its looks."""
    for size in (1, 1, 1, 2, 5, 10, 20, 40, 80, 160, 320):
        drawn = generator.random(size)
        running = running.add((drawn < truth).astype(float) if running.binary else drawn**3)
        found = running.interval(0.1)
        if not found.lower <= truth <= found.upper:
            return True
    return False


@pytest.mark.parametrize(
    ("begun", "truth"),
    [
        (Running.of((0.0, 1.0)), 0.25),
        (Running.of((0.0, 1.0), binary=True), 0.3),
        (Running.of((0.0, 1.0), binary=True), 0.02),
    ],
)
def test_the_truth_is_left_out_at_any_look_by_chance_only(begun: Running, truth: float) -> None:
    """Of 300 streams looked at from the first value on, no more than a tenth ever leave out the mean at alpha 0.1."""
    missed = sum(_missed(begun, truth, np.random.default_rng(10_000 + seed)) for seed in range(300))
    assert missed <= 30


def test_a_fixed_interval_would_have_been_caught() -> None:
    """The same streams leave a textbook interval of 90 % more often than 30 times: the test above can fail."""
    missed = 0
    for seed in range(300):
        running, generator, out = Running.of((0.0, 1.0)), np.random.default_rng(10_000 + seed), False
        for size in (10, 10, 10, 10, 20, 40, 80, 160, 320):
            running = running.add(generator.random(size) ** 3)
            assert running.mean is not None
            assert running.deviation is not None
            out |= abs(running.mean - 0.25) > 1.645 * running.deviation / math.sqrt(running.count)
        missed += out
    assert missed > 60


def _told(begun: Running, values: list[float]) -> list[float]:
    return [math.copysign(1.0, value) for value in values] if begun.binary else values


def _paired(generator: np.random.Generator, rows: int, better: float, worse: float) -> Floats:
    return generator.choice([1.0, -1.0, 0.0], size=rows, p=[better, worse, 1 - better - worse])


def test_an_accuracy_higher_by_a_quarter_is_proven_within_300_rows() -> None:
    """Paired differences of 0.27 on average are better at 95 % in each of fifty streams."""
    for seed in range(50):
        found = Running.of((-1.0, 1.0)).add(_paired(np.random.default_rng(seed), 300, 0.32, 0.05)).interval(0.05)
        assert verdict(found, 0.02) is Verdict.BETTER


def test_equals_are_not_worse_within_a_thousand_rows() -> None:
    """Differences of 0 with a deviation of 0.2 are within a margin of 0.05 in each of fifty streams."""
    for seed in range(50):
        values = np.clip(np.random.default_rng(seed).normal(0, 0.2, 1000), -1, 1)
        assert verdict(Running.of((-1.0, 1.0)).add(values).interval(0.05), 0.05) in {Verdict.NOT_WORSE, Verdict.BETTER}


def test_a_rare_hit_is_known_more_closely_when_hits_are_all_there_is() -> None:
    """Of 3 errors in 2,000 the binary interval is the narrower one, and does not reach zero errors."""
    values = np.zeros(2000)
    values[[100, 900, 1500]] = 1.0
    binary, bounded = (Running.of((0.0, 1.0), binary=kind).add(values).interval(0.05) for kind in (True, False))
    assert binary.upper - binary.lower < bounded.upper - bounded.lower
    assert binary.lower > 0
    assert bounded.lower == 0


@pytest.mark.parametrize("binary", [True, False])
def test_two_streams_together_are_known_better_than_each_alone(*, binary: bool) -> None:
    """The difference's interval is narrower by a sixth than that of each stream at half the level."""
    generator = np.random.default_rng(1)
    ours, theirs = (
        Running.of((0.0, 1.0), binary=binary).add((generator.random(rows) < 0.3).astype(float)) for rows in (800, 1200)
    )
    found, one, other = difference(ours, theirs, 0.05), ours.interval(0.025), theirs.interval(0.025)
    assert found.upper - found.lower < (one.upper - one.lower + other.upper - other.lower) * 5 / 6


@pytest.mark.parametrize("bounds", [(0.0, 1.0), None])
def test_the_true_difference_is_left_out_at_any_look_by_chance_only(bounds: tuple[float, float] | None) -> None:
    """Of 150 A/A tests at a split of 1 to 4, no more than a tenth ever exclude zero at alpha 0.1."""
    excluded = 0
    for seed in range(150):
        generator, arms, out = np.random.default_rng(seed), [Running.of(bounds), Running.of(bounds)], False
        for _ in range(6):
            arms = [arm.add(generator.random(rows) ** 2) for arm, rows in zip(arms, (50, 200), strict=True)]
            found = difference(arms[0], arms[1], 0.1)
            out |= not found.lower <= 0 <= found.upper
        excluded += out
    assert excluded <= 15


@pytest.mark.parametrize("bounds", [(0.0, 1.0), None])
def test_two_streams_are_compared_without_being_paired(bounds: tuple[float, float] | None) -> None:
    """The difference has its sign from the challenger, is antisymmetric, and widens with confidence."""
    generator = np.random.default_rng(3)
    better, worse = (Running.of(bounds).add(generator.random(3000) ** power) for power in (0.5, 1.0))
    found = difference(better, worse, 0.05)
    assert verdict(found, 0.0) is Verdict.BETTER
    assert verdict(difference(worse, better, 0.05), 0.0) is Verdict.WORSE
    assert found.negated().lower == pytest.approx(difference(worse, better, 0.05).lower, abs=1e-6)
    assert difference(better, worse, 0.01).lower < found.lower
    assert difference(better, Running.of(bounds), 0.05).finite() == (None, None)

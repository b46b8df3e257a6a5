"""Rows that an effect takes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.errors import Rejected
from worker.evidence.running import Running, difference
from worker.evidence.sample_size import Aim, fixed_rows, sequential_rows


def test_the_textbooks_numbers() -> None:
    """63 per arm for half a deviation, and 3,839 (pooled: 3,841) for 10 against 12 %, at 5 % and power 80 %."""
    assert fixed_rows(Aim.of_mean(0.5, 1.0)).arms == (63, 63)
    assert fixed_rows(Aim.of_share(0.10, 0.02)).arms == (3839, 3839)


def test_an_uneven_split_takes_more_rows() -> None:
    """A tenth and nine tenths take 1 / (4 · 0.1 · 0.9) times the rows of halves."""
    even, uneven = (fixed_rows(Aim.of_mean(0.1, 1.0, shares=shares)).total for shares in ((1, 1), (9, 1)))
    assert uneven / even == pytest.approx(1 / 0.36, rel=0.01)


def test_more_arms_are_compared_at_a_stricter_level() -> None:
    """Three arms take more rows each than two: the level is divided among two comparisons."""
    three = fixed_rows(Aim.of_mean(0.1, 1.0, shares=(1, 1, 1)))
    assert len(three.arms) == 3
    assert three.arms[0] == fixed_rows(Aim.of_mean(0.1, 1.0, alpha=0.025)).arms[0]


@settings(max_examples=30)
@given(st.floats(0.02, 0.3), st.floats(0.05, 0.5), st.sampled_from([None, (-1.0, 1.0)]))
def test_looking_any_time_takes_more_rows(effect: float, deviation: float, bounds: tuple[float, float] | None) -> None:
    """The sequential plan is never below the fixed one, and a smaller effect never takes fewer."""
    aim = Aim.of_mean(effect, deviation, bounds=bounds)
    assert sequential_rows(aim).total >= fixed_rows(aim).total
    assert sequential_rows(aim).total <= sequential_rows(Aim.of_mean(effect / 2, deviation, bounds=bounds)).total


@pytest.mark.parametrize("effect", [0.08, -0.08])
def test_the_planned_rows_have_the_planned_power(effect: float) -> None:
    """Of 150 tests with the effect at least 70 % exclude zero at the planned rows alone."""
    rows = sequential_rows(aim := Aim.of_share(0.3, effect))
    seen, generator = 0, np.random.default_rng(11)
    for _ in range(150):
        arms = [
            Running.of((0.0, 1.0), binary=True, planned=planned).add((generator.random(count) < rate).astype(float))
            for rate, count, planned in zip((0.3, 0.3 + effect), rows.arms, rows.planned, strict=True)
        ]
        found = difference(arms[1], arms[0], aim.alpha)
        seen += found.lower > 0 if effect > 0 else found.upper < 0
    assert seen >= 105


def test_pairs_take_far_fewer_rows_than_arms() -> None:
    """Paired differences of the same deviation take at most three fifths of what one of two arms takes."""
    pairs = sequential_rows(Aim.of_mean(0.05, 0.2, bounds=(-1.0, 1.0), shares=(1.0,)))
    assert pairs.total <= sequential_rows(Aim.of_mean(0.05, 0.2, bounds=(-1.0, 1.0))).arms[0] * 0.6


@pytest.mark.parametrize(
    "make",
    [
        lambda: Aim.of_mean(0.0, 1.0),
        lambda: Aim.of_mean(math.nan, 1.0),
        lambda: Aim.of_mean(0.1, -1.0),
        lambda: Aim.of_mean(0.1, 1.0, shares=(1.0, 0.0)),
        lambda: Aim.of_mean(0.1, 1.0, power=1.0),
        lambda: Aim.of_share(0.99, 0.02),
        lambda: sequential_rows(Aim.of_mean(1e-9, 1.0)),
    ],
)
def test_what_no_rows_can_show_is_refused(make: object) -> None:
    """No effect, no deviation, no share, certainty, an impossible share, and an effect beyond reach."""
    with pytest.raises(Rejected):
        make()  # type: ignore[operator]

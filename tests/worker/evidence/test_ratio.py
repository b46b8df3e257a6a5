"""Sample-ratio mismatch."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import Rejected
from worker.evidence.ratio import sample_ratio


def test_a_sound_split_is_not_called_broken() -> None:
    """Of 400 splits in three arms, looked at 40 times, no more than 5 % ever fall to a p-value of 0.05."""
    generator, shares, broken = np.random.default_rng(5), (0.8, 0.1, 0.1), 0
    for _ in range(400):
        counts = np.cumsum(generator.multinomial(50, shares, size=40), axis=0)
        broken += any(sample_ratio(row.tolist(), shares).broken(0.05) for row in counts)
    assert broken <= 20


@pytest.mark.parametrize(("counts", "shares"), [((5300, 4700), (1, 1)), ((8000, 1000, 800), (80, 10, 10))])
def test_a_broken_split_is_found(counts: tuple[int, ...], shares: tuple[int, ...]) -> None:
    """53 % instead of 50 % of 10,000, and a fifth of one small arm's loss, are broken at the strict level."""
    assert sample_ratio(counts, shares).broken()


def test_a_small_breach_is_found_in_many_exposures() -> None:
    """50.5 instead of 50 % of a million is broken; of ten thousand it is not."""
    assert sample_ratio((505_000, 495_000), (1, 1)).broken()
    assert not sample_ratio((5050, 4950), (1, 1)).broken()


@given(st.lists(st.integers(0, 5000), min_size=2, max_size=5), st.integers(1, 1000))
def test_only_the_shares_proportions_count(counts: list[int], unit: int) -> None:
    """Percent, fractions and weights give the same, a p-value between 0 and 1, whatever the order of the arms."""
    shares = [float(place + 1) for place in range(len(counts))]
    found = sample_ratio(counts, shares)
    assert 0 <= found.p_value <= 1
    assert sample_ratio(counts, [share * unit for share in shares]).log_e == pytest.approx(found.log_e, abs=1e-6)
    assert sample_ratio(counts[::-1], shares[::-1]).log_e == pytest.approx(found.log_e, abs=1e-6)


def test_the_mixture_is_a_bet_that_pays_one_on_average() -> None:
    """Summed over all counts of 12 exposures, weighed by their chance under the plan, the evidence is 1."""
    paid = sum(
        math.comb(12, hits) * 0.3**hits * 0.7 ** (12 - hits) * math.exp(sample_ratio((hits, 12 - hits), (3, 7)).log_e)
        for hits in range(13)
    )
    assert paid == pytest.approx(1.0)


def test_an_arm_without_a_share_gets_nobody() -> None:
    """One exposure to it is proof; none changes nothing."""
    assert sample_ratio((50, 50, 1), (1, 1, 0)).p_value == 0
    assert sample_ratio((50, 50, 0), (1, 1, 0)).p_value == sample_ratio((50, 50), (1, 1)).p_value
    assert sample_ratio((0, 0), (1, 1)).p_value == 1


@pytest.mark.parametrize(("counts", "shares"), [((1,), (1, 1)), ((), ()), ((-1, 2), (1, 1)), ((1, 1), (0, 0))])
def test_what_does_not_fit_is_refused(counts: tuple[int, ...], shares: tuple[float, ...]) -> None:
    """Counts and shares of different arms, none, negative ones, and no share at all."""
    with pytest.raises(Rejected):
        sample_ratio(counts, shares)

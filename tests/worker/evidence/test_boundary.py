"""Boundaries that sums cross with a given chance."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from worker.evidence.binary import log_evidence
from worker.evidence.boundary import asymptotic, log_mixture, sub_exponential, tuned


@pytest.mark.parametrize(("total", "variation", "rho"), [(0.0, 3.0, 1.0), (5.0, 4.0, 2.0), (30.0, 50.0, 0.7)])
def test_the_mixture_is_the_integral_of_the_supermartingales(total: float, variation: float, rho: float) -> None:
    """The closed form is exp(λ·sum − ψ(λ)·variation), ψ(λ) = −log(1 − λ) − λ, averaged over a truncated gamma prior."""

    def prior(bet: float) -> float:
        return (1 - bet) ** (rho - 1) * math.exp(-rho * (1 - bet))

    def pays(bet: float) -> float:
        return math.exp(bet * total + (math.log1p(-bet) + bet) * variation)

    weight, _ = integrate.quad(prior, 0, 1)
    expected, _ = integrate.quad(lambda bet: prior(bet) * pays(bet), 0, 1)
    assert log_mixture(total, variation, rho)[0] == pytest.approx(math.log(expected / weight), rel=1e-5)


@given(st.floats(0, 1e7), st.floats(0.01, 15), st.integers(1, 100_000))
def test_the_boundary_is_where_the_evidence_is_enough(variation: float, wanted: float, planned: int) -> None:
    """There the evidence is what was wanted, and it rises with what is wanted."""
    at = sub_exponential(variation, wanted, tuned(planned))
    assert log_mixture(at, variation, tuned(planned))[0] == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    assert sub_exponential(variation, wanted + 0.1, tuned(planned)) > at


@given(st.floats(0, 1000), st.floats(-20, 0))
def test_less_evidence_than_there_is_in_the_middle_is_nowhere(variation: float, wanted: float) -> None:
    """A boundary never lies on the other side of what was seen."""
    assert sub_exponential(variation, wanted, 1.0) >= 0


def test_the_asymptotic_width_is_the_papers() -> None:
    """Theorem 2.2 at 1,000 rows of variance 4, tuned for 500 at 5 %, by hand."""
    rho2 = (-2 * math.log(0.05) + math.log(-2 * math.log(0.05) + 1)) / 500
    expected = 2 * math.sqrt(2 * (1000 * rho2 + 1) / (1000**2 * rho2) * math.log(math.sqrt(1000 * rho2 + 1) / 0.05))
    assert asymptotic(4.0, 1000, 0.05, 500) == pytest.approx(expected)


@given(st.floats(0.01, 0.99), st.floats(0.5, 200))
def test_the_evidence_against_a_chance_pays_one_on_average(chance: float, concentration: float) -> None:
    """Over all outcomes of 15 trials under that very chance the evidence is 1: a bet that nobody wins."""
    paid = sum(
        math.comb(15, hits)
        * chance**hits
        * (1 - chance) ** (15 - hits)
        * math.exp(log_evidence(chance, hits, 15 - hits, concentration))
        for hits in range(16)
    )
    assert paid == pytest.approx(1.0)


def test_certainty_is_refuted_by_one_row() -> None:
    """A chance of 0 or 1 is refuted by a hit or a miss, and by nothing else."""
    assert log_evidence(0.0, 1, 50, 10) == math.inf
    assert log_evidence(1.0, 50, 1, 10) == math.inf
    assert log_evidence(0.0, 0, 50, 10) == 0

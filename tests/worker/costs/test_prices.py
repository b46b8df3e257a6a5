"""Which price a machine has, and what is said where it has none."""

import pytest

from tests.worker.costs.lists import DAY, LIST, OLDER
from worker.costs.machine import Machine
from worker.costs.prices import Rate


@pytest.mark.parametrize(
    ("machine", "rate"),
    [
        (Machine(), Rate(0.12, "e2-standard-4", DAY)),
        (Machine(2, 4), Rate(0.12, "e2-standard-4", DAY)),
        (Machine(5, 4), Rate(0.24, "e2-standard-8", DAY)),
        (Machine(2, 17), Rate(0.24, "e2-standard-8", DAY)),
        (Machine(2, 4, "NVIDIA_TESLA_T4", 2), Rate(1.0, "n1-standard-4 with 2 NVIDIA_TESLA_T4", OLDER)),
    ],
)
def test_the_cheapest_that_holds(machine: Machine, rate: Rate) -> None:
    """Of the machines that have what is asked for the cheapest counts; a card goes only into its own machines."""
    found = LIST.rate("us-central1", machine)

    assert (found.words, found.as_of) == (rate.words, rate.as_of)
    assert found.hour == pytest.approx(rate.hour)


@pytest.mark.parametrize(
    ("region", "machine", "words"),
    [
        ("europe-west4", Machine(), "no prices for the region europe-west4"),
        ("us-central1", Machine(64, 4), "no price for cpu=64 memory=4 in us-central1"),
        ("us-central1", Machine(2, 4, "NVIDIA_L4", 1), "no price for NVIDIA_L4 in us-central1"),
        ("us-central1", Machine(8, 4, "NVIDIA_TESLA_T4", 1), "no price for cpu=8 memory=4 NVIDIA_TESLA_T4=1"),
    ],
)
def test_no_price_is_not_nothing(region: str, machine: Machine, words: str) -> None:
    """What has no price is not known, with the list's date, and never 0."""
    found = LIST.rate(region, machine)

    assert found.hour is None
    assert words in found.words
    assert "2026-10-07" in found.words

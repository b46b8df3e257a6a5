"""What a run will cost, and what that is said to stand on."""

from datetime import timedelta
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.costs.lists import LIST
from worker.costs.estimate import (
    NEWEST,
    Estimate,
    History,
    Past,
    Window,
    estimate,
    typical_local,
    typical_vertex,
)
from worker.costs.machine import DEFAULT
from worker.costs.prices import PriceList

TYPICAL = Estimate(0.5, "typical")
COSTS = st.lists(st.floats(0, 1000).map(lambda value: round(value, 6)), min_size=1, max_size=12)


def _of(history: History, rows: int | None = None) -> Estimate:
    return estimate("auto-retrain", "spam-guard", history, rows, TYPICAL)


def test_the_bees_own_runs_go_first() -> None:
    """The median of the bee's newest runs counts, and is called that; one odd run changes nothing."""
    own = [Past(cost) for cost in (0.10, 0.11, 9.0, 0.12, 0.09)]

    assert _of(History(own, [Past(5.0)])) == Estimate(0.11, "median of 5 runs of auto-retrain for spam-guard")


def test_other_bees_runs_go_before_a_guess() -> None:
    """A bee without a run of its own costs what the template costs over all bees, for the rows that it has."""
    others = [Past(0.1, 1000), Past(0.3, 2000), Past(0.2, 1000)]

    assert _of(History((), others)) == Estimate(0.2, "median of 3 runs of auto-retrain over all bees")
    assert _of(History((), others), 3000) == Estimate(
        0.45, "median of 3 runs of auto-retrain over all bees, scaled to 3000 rows"
    )


def test_nothing_is_known_without_a_run() -> None:
    """Without any run the typical one is said."""
    assert _of(History()) is TYPICAL


def test_a_run_without_rows_is_not_scaled() -> None:
    """Where one of the runs told no rows, none is scaled: they would not be of one size."""
    assert _of(History([Past(0.1, 100), Past(0.3)]), 1000).amount == pytest.approx(0.2)


def test_the_only_run_is_called_that() -> None:
    """One run is no median."""
    assert _of(History([Past(0.1)])).basis == "the only run of auto-retrain for spam-guard"


@given(COSTS)
def test_only_the_newest_count(costs: list[float]) -> None:
    """What is older than the newest few never changes an estimate: it is the median of the newest."""
    found = _of(History([Past(cost) for cost in costs])).amount

    assert found == pytest.approx(median(costs[:NEWEST]), abs=1e-6)
    assert found == _of(History([Past(cost) for cost in costs[:NEWEST]])).amount


@given(COSTS, st.integers(1, 10_000), st.integers(1, 100))
def test_scaled_to_rows(costs: list[float], rows: int, times: int) -> None:
    """Runs of one size, and a window so many times as large: so many times the cost."""
    history = History([Past(cost, rows) for cost in costs])

    assert _of(history, rows * times).amount == pytest.approx(times * (_of(history).amount or 0), rel=1e-6, abs=1e-4)


def test_a_longer_window_has_more_rows() -> None:
    """Twice the length, twice the rows; a window of no length has what it had."""
    assert Window(700, timedelta(days=7)).rows_in(timedelta(days=14)) == 1400
    assert Window(700, timedelta(0)).rows_in(timedelta(days=14)) == 700


def test_a_typical_run_here() -> None:
    """Six steps of half a minute on a core with a GB: 0.05 hours at both prices."""
    found = typical_local(6, timedelta(seconds=30), 0.05, 0.01)

    assert found == Estimate(0.003, "no run yet: 6 steps of 30 s on one core with 1 GB")


def test_a_typical_run_on_vertex() -> None:
    """Each step's machine for the typical time, and the fee, with the list's date."""
    found = typical_vertex([DEFAULT, "cpu=8"], LIST, "us-central1")

    assert found.amount == pytest.approx(0.03 + 0.01 + 0.02)
    assert found.basis == "no run yet: 2 steps of 5 min on their machines, prices of 2026-10-07 in us-central1"


@pytest.mark.parametrize(
    ("lines", "prices", "why"),
    [
        (["cpu=64"], LIST, "no price for cpu=64"), (["unknown"], LIST, "nobody knows"),
        ([DEFAULT], PriceList(LIST.as_of), "no fee"),
    ],
)  # fmt: skip
def test_a_typical_run_of_which_nothing_is_known(lines: list[str], prices: PriceList, why: str) -> None:
    """Without a price there is no estimate, and the reason is told."""
    found = typical_vertex(lines, prices, "us-central1")

    assert found.amount is None
    assert why in found.basis

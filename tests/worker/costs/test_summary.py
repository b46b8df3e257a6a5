"""Sums over runs: by whatever they are summed, nothing gets lost, and what is not known is counted."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.costs.summary import KEYS, RunCost, Sums, grouped, of_run, reasons, total

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
AMOUNTS = st.none() | st.floats(0, 10**6, allow_nan=False)


@st.composite
def _runs(draw: st.DrawFn) -> list[RunCost]:
    count = draw(st.integers(0, 12))
    return [
        RunCost(
            run=str(number),
            bee=draw(st.sampled_from(["a", "b", "c"])),
            template=draw(st.sampled_from(["auto-retrain", "experiment"])),
            created_at=MOMENT + timedelta(hours=draw(st.integers(0, 10_000))),
            over=draw(st.booleans()),
            estimated=draw(AMOUNTS),
            settled=draw(AMOUNTS),
            billed=draw(AMOUNTS),
            cost=draw(AMOUNTS),
        )
        for number in range(count)
    ]


@given(_runs())
def test_every_way_to_sum_gives_the_same_total(runs: list[RunCost]) -> None:
    """The groups by bee, by template and by month add up to the same figures, exactly, whatever is in them."""
    totals = {by: sum(grouped(runs, by).values(), Sums()) for by in KEYS}

    assert set(totals.values()) == {total(runs)}


@given(_runs(), st.randoms(use_true_random=False))
def test_the_order_does_not_matter(runs: list[RunCost], random: object) -> None:
    """Sums are exact: runs in any order give the same."""
    shuffled = list(runs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert total(shuffled) == total(runs)


@given(_runs())
def test_every_run_is_known_or_counted(runs: list[RunCost]) -> None:
    """Each run that is over either has a cost in the sum or is counted as not known."""
    sums = total(runs)

    assert sums.runs == len(runs)
    assert sums.open == sum(not run.over for run in runs)
    assert sums.unknown == sum(run.over and run.cost is None for run in runs)
    assert sum(reasons(runs).values()) == sums.unknown


def _run(**changes: object) -> RunCost:
    values = {"run": "r", "bee": "a", "template": "t", "created_at": MOMENT} | changes
    return RunCost(**values)  # type: ignore[arg-type]


def test_the_difference_is_of_those_that_have_both() -> None:
    """A run without an estimate, or without a cost, is no difference."""
    runs = [_run(estimated=1.0, cost=1.5), _run(cost=7.0), _run(estimated=3.0)]

    sums = total(runs)

    assert (sums.difference, sums.unestimated, sums.unknown) == (Decimal("0.5"), 1, 1)


def test_money_is_exact() -> None:
    """Ten tenths are one, and a millionth is kept."""
    assert total([_run(cost=0.1)] * 10).cost == Decimal(1)
    assert of_run(_run(cost=0.000001)).cost == Decimal("0.000001")


def test_a_month_is_in_utc() -> None:
    """A run belongs to the month in which it was asked for, by UTC."""
    last = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)

    assert list(grouped([_run(created_at=last), _run(created_at=last + timedelta(hours=1))], "month")) == [
        "2026-01", "2026-02"
    ]  # fmt: skip


def test_why_costs_are_not_known() -> None:
    """The most frequent reason stands first; runs from before reasons were kept have one as well."""
    runs = [_run(basis="no price"), _run(basis="no price"), _run(), _run(cost=1.0, basis="x"), _run(over=False)]

    found = reasons(runs)

    assert list(found.values()) == [2, 1]
    assert next(iter(found)) == "no price"


@pytest.mark.parametrize("name", ["runs", "estimated", "corrected", "cost", "unknown", "uncorrected"])
def test_told_figures_are_plain(name: str) -> None:
    """JSON gets numbers."""
    assert isinstance(total([_run(cost=1.0, billed=1.0)]).told()[name], int | float)

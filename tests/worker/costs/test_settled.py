"""What a run cost: here by its CPU seconds and memory, on Vertex AI by its machines, and its answers on top."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.costs.lists import LIST
from worker.costs.machine import DEFAULT, UNKNOWN
from worker.costs.prices import PriceList
from worker.costs.settled import Task, charged_s, local_cost, rows_of, vertex_cost

HOUR = timedelta(hours=1)


def test_cpu_and_memory_have_their_prices() -> None:
    """Two hours of a core and three GB hours are charged at the prices that are set."""
    found = local_cost({"cost": {"cpuSeconds": 7200, "memoryGbSeconds": 10800}}, 0.05, 0.01)

    assert found.amount == pytest.approx(0.13)
    assert found.basis == "7200.0 CPU seconds at 0.05 an hour, 3 GB hours of memory at 0.01"


def test_a_run_that_told_no_memory() -> None:
    """Runs of an earlier version told only CPU seconds: those count."""
    assert local_cost({"cost": {"cpuSeconds": 3600}}, 0.05, 0.01).amount == 0.05


@pytest.mark.parametrize(
    "outcome", [None, {}, {"cost": None}, {"cost": {"cpuSeconds": None}}, {"cost": {"cpuSeconds": True}},
                {"cost": {"cpuSeconds": -1}}, {"cost": {"cpuSeconds": float("nan")}}, {"cost": 7}],
)  # fmt: skip
def test_without_an_account_nothing_is_known(outcome: Any) -> None:
    """A run that left no figure has no cost, and says why."""
    found = local_cost(outcome, 0.05, 0.01)

    assert found.amount is None
    assert "CPU seconds" in found.basis


def test_answers_cost_beside_the_machine() -> None:
    """What the variants' answers and the judge's took is added."""
    found = local_cost({"cost": {"cpuSeconds": 3600, "usd": 0.2, "judgeUsd": 0.1}}, 0.05, 0.01)

    assert found.amount == pytest.approx(0.35)
    assert found.basis.endswith("tokens 0.2, judging 0.1")


@pytest.mark.parametrize(("name", "who"), [("usd", "a model that answered"), ("judgeUsd", "the judge's model")])
def test_tokens_without_a_price(name: str, who: str) -> None:
    """A model without a price leaves the whole not known: a part of a cost is no cost."""
    cost = {"cpuSeconds": 3600, "usd": 0.2, "judgeUsd": 0.1} | {name: None}

    found = local_cost({"cost": cost}, 0.05, 0.01)

    assert found.amount is None
    assert found.basis.startswith(f"{who} has no price")


def test_machines_are_charged_by_whole_increments() -> None:
    """Each step's machine for its time, in whole half minutes, and the fee of the run."""
    tasks = [Task("a", DEFAULT, timedelta(minutes=30)), Task("b", "cpu=8", timedelta(minutes=29, seconds=31))]

    found = vertex_cost(tasks, None, LIST, "us-central1")

    assert found.amount == pytest.approx(0.03 + 0.06 + 0.12)
    assert found.basis == (
        "1 step on e2-standard-4, 1 step on e2-standard-8, the fee of a run 0.03, prices of 2026-10-07 in us-central1"
    )


def test_the_oldest_price_dates_the_whole() -> None:
    """A card's price is older than its machine's: what is told is the older date."""
    found = vertex_cost([Task("a", "NVIDIA_TESLA_T4=1", HOUR)], None, LIST, "us-central1")

    assert found.amount == pytest.approx(0.03 + 0.2 + 0.4)
    assert "prices of 2026-09-29" in found.basis


@pytest.mark.parametrize(
    ("tasks", "prices", "region", "why"),
    [
        ([Task("a", "cpu=64", HOUR)], LIST, "us-central1", "no price for cpu=64"),
        ([Task("a", UNKNOWN, HOUR)], LIST, "us-central1", "which machine the step a had"),
        ([Task("a", DEFAULT, None)], LIST, "us-central1", "when the step a ended"),
        ([Task("a", DEFAULT, HOUR)], LIST, "mars", "the region mars"),
        ([], PriceList(LIST.as_of), "us-central1", "no fee of a pipeline run"),
    ],
)
def test_what_is_not_known_leaves_the_run_not_known(
    tasks: list[Task], prices: PriceList, region: str, why: str
) -> None:
    """One step without a price, a machine or an end leaves the run without a cost, and the reason names it."""
    known = [Task("other", DEFAULT, HOUR)]

    found = vertex_cost([*known, *tasks], None, prices, region)

    assert found.amount is None
    assert why in found.basis


@given(st.lists(st.integers(0, 10_000), max_size=8))
def test_a_run_costs_what_its_steps_do(seconds: list[int]) -> None:
    """Steps in any number and length: the sum of each one's charged time, and the fee."""
    tasks = [Task(str(n), DEFAULT, timedelta(seconds=s)) for n, s in enumerate(seconds)]

    found = vertex_cost(tasks, None, LIST, "us-central1")

    assert found.amount == pytest.approx(0.03 + sum(-(-s // 30) * 30 / 3600 * 0.12 for s in seconds), abs=1e-6)


@pytest.mark.parametrize(("took", "charged"), [(0, 0), (1, 30), (30, 30), (31, 60), (-5, 0)])
def test_increments(took: int, charged: int) -> None:
    """Begun increments are charged whole; a clock that went back charges nothing."""
    assert charged_s(timedelta(seconds=took), timedelta(seconds=30)) == charged


@pytest.mark.parametrize(
    ("artifacts", "rows"),
    [
        ([{"name": "model", "metadata": {"rows": 7}}, {"name": "rows", "metadata": {"rows": 2180}}], 2180),
        ([{"name": "rows", "metadata": {"rows": "many"}}], None), ([{"name": "rows"}], None), (["rows"], None),
        (None, None), ({}, None),
    ],
)  # fmt: skip
def test_the_rows_of_a_run(artifacts: Any, rows: int | None) -> None:
    """The first step's artifact says how many rows there were; whatever else stands there says nothing."""
    assert rows_of({"artifacts": artifacts}) == rows

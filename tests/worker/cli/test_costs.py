"""`colony costs` at the terminal, and the figures beside runs and incidents."""

import json
from dataclasses import replace

import pytest

from tests.worker.cli.conftest import Here
from tests.worker.runs.colony import Colony
from worker.adapters.ledger.sql import SqlLedger
from worker.clock import wall_clock


@pytest.fixture(name="lived")
def _lived(ledger: SqlLedger) -> Colony:
    """Give a colony of today in which one incident was mended by one run of two CPU hours."""
    colony = Colony(ledger, now=wall_clock())
    colony.evaluate()
    colony.end_run(cost={"cpuSeconds": 7200})
    return colony


def test_costs_are_summed(here: Here, lived: Colony) -> None:
    """A table with the list's date, one object as JSON; by month the row is the month."""
    code, table, _ = here("costs")
    shown = json.loads(here("costs", "--by", "month", "--json")[1])

    assert (code, "spam-guard" in table, "0.1000" in table) == (0, True, True)
    assert "In USD, by a price list of 2026-" in table
    assert [group["name"] for group in shown["groups"]] == [f"{lived.now:%Y-%m}"]
    assert shown["total"]["cost"] == 0.1
    assert "no runs yet" in here("costs", "--since", "2099-01-01")[1]
    assert here("costs", "--since", "2099-01-01", "--until", "2001-01-01")[0] == 2


def test_what_is_not_known_is_told(here: Here, lived: Colony) -> None:
    """A run without a cost is counted in its column, and the reason stands below the table."""
    with lived.ledger.begin() as transaction:
        (run,) = transaction.runs.list()
        transaction.runs.save(replace(run, cost=None, settled_cost=None, cost_basis="no price for cpu=96"))

    assert "Not known of 1: no price for cpu=96" in here("costs")[1]
    shown = here("runs", "show", run.id)[1]
    assert "spent not known" in shown
    assert "settled: no price for cpu=96" in shown


def test_gains_are_told(here: Here, lived: Colony) -> None:
    """Each version that went into production, its metric before and after, and the bee's gain for its money."""
    table = here("costs", "--gain")[1]
    rows = [json.loads(line) for line in here("costs", "--gain", "--json")[1].splitlines()]

    assert "0.800 → 0.930" in table
    assert "+0.13 f1 for 0.1000 USD in 1 of 2 versions: 1.3 for each USD" in table
    assert [row["version"] for row in rows] == ["1", lived.champion()]


def test_a_correction_stands_beside_what_was_settled(here: Here, lived: Colony) -> None:
    """A run that the bill corrected shows both figures, and its incident the sum."""
    with lived.ledger.begin() as transaction:
        (run,) = transaction.runs.list()
        transaction.runs.save(replace(run, cost=0.42, billed_cost=0.42, billed_at=lived.now))

    shown = here("runs", "show", run.id)[1]
    story = here("incident", lived.incident().id)[1]

    assert "spent 0.4200" in shown
    assert "settled: 0.1000 by 7200.0 CPU seconds" in shown
    assert "corrected: 0.4200 by the bill of" in shown
    assert "Cost of 1 run: 0.4200, estimated 0.0000, 0.4200 of it by the bill" in story

"""Costs by HTTP: what runs cost, what was gained, and what stands with each run and incident."""

import pytest

from tests.handlers.http.api import Client, Parts
from tests.worker.costs.lists import LIST
from tests.worker.runs.colony import Colony
from tests.worker.world import BEE


@pytest.fixture(name="client")
def _client(colony: Parts) -> Client:
    """Give an API of a colony in which one incident was mended by one run, and not judged since."""
    lived = Colony(colony.ledger)
    lived.evaluate()
    lived.end_run(cost={"cpuSeconds": 7200})
    return colony.client_with(prices=lambda: LIST)


def test_costs(client: Client) -> None:
    """Summed by what is asked for, with the price list's date; another word or span is refused."""
    shown = client.get("costs", params={"by": "template"}).json()

    assert (shown["by"], shown["currency"], shown["pricesAsOf"]) == ("template", "USD", "2026-10-07")
    assert [(group["name"], group["cost"]) for group in shown["groups"]] == [("auto-retrain", 0.1)]
    assert client.get("costs").json()["groups"][0]["name"] == BEE.bee
    assert client.get("costs", params={"by": "weather"}).status_code == 422
    assert client.get("costs", params={"since": "2099-01-01T00:00:00Z"}).json()["total"]["runs"] == 0
    span = {"since": "2099-01-01T00:00:00Z", "until": "2001-01-01T00:00:00Z"}
    assert client.get("costs", params=span).status_code == 422


def test_gains(client: Client) -> None:
    """The version that was deployed, with the gate's numbers; nothing was measured yet."""
    shown = client.get("costs/gain").json()

    made = shown["gains"][-1]
    assert (made["previous"], made["runs"], made["cost"]) == ("1", 1, 0.1)
    assert made["gain"] == pytest.approx(0.13)
    assert made["gainPerCost"] == pytest.approx(1.3)
    assert made["measured"]["after"] is None
    assert shown["bees"][0]["counted"] == 1
    assert client.get("costs/gain", params={"since": "2099-01-01T00:00:00Z"}).json()["gains"] == []


def test_figures_stand_with_runs_and_incidents(client: Client) -> None:
    """A run tells what it was thought to cost and by what, what it cost and how that was reckoned."""
    (run,) = client.get("pipeline/runs").json()["runs"]
    (incident,) = client.get("incidents").json()["incidents"]

    assert (run["cost"], run["settledCost"], run["correctedCost"], run["correctedAt"]) == (0.1, 0.1, None, None)
    assert run["costBasis"].startswith("7200.0 CPU seconds")
    assert "not known yet" in run["estimatedBy"]
    assert (incident["cost"]["runs"], incident["cost"]["cost"]) == (1, 0.1)

"""A/B tests by HTTP: what is listed and told, and an end by hand."""

from typing import Any

import pytest

from handlers.http.access import Access
from tests.handlers.http.api import Parts
from tests.handlers.http.conftest import MakeToken
from tests.worker.world import BEE, NOW
from worker.abtest.plan import AbPlan
from worker.runs.ab_test import begin
from worker.runs.lifecycle import Run

PLAN = {"versions": ["1", "2"], "split": [90, 10], "minimumEffect": 0.02, "guards": {"recall": {"margin": 0.01}}}


@pytest.fixture(name="test")
def _test(colony: Parts) -> str:
    """Begin a test and give its id."""
    run = Run("ab-run", "ab-test", BEE.bee, "manual", "a test", NOW, NOW)
    with colony.ledger.begin() as transaction:
        trial = begin(run, {"plan": AbPlan.of(PLAN).as_json(), "forecast": None}, transaction, NOW)
    return trial.id


def test_what_is_told(colony: Parts, test: str) -> None:
    """A test is listed, found by its id, and told with its plan; what is not known yet is null."""
    client = colony.client()
    shown: dict[str, Any] = client.get(f"ab-tests/{test}").json()

    assert client.get("ab-tests").json() == {"abTests": [shown]}
    assert client.get("ab-tests", params={"beeId": "other-bee"}).json() == {"abTests": []}
    assert client.get("ab-tests", params={"state": "concluded"}).json() == {"abTests": []}
    assert (shown["state"], shown["trafficSplit"], shown["results"]) == ("running", {"1": 90, "2": 10}, None)
    assert shown["plan"]["minimumEffect"] == 0.02
    assert client.get("ab-tests/ab-none").status_code == 404
    assert client.get("ab-tests/none").status_code == 422


def test_an_end_by_hand(colony: Parts, test: str) -> None:
    """A person stops it once, with a reason, and the champion serves everybody again."""
    client = colony.client()

    assert client.post(f"ab-tests/{test}/stop", json={"reason": " "}).status_code == 422
    done = client.post(f"ab-tests/{test}/stop", json={"reason": "enough"})
    assert (done.status_code, done.json()["state"]) == (200, "stopped")
    assert (done.json()["trafficSplit"], done.json()["stoppedBy"]) == ({"1": 100}, "local")
    assert client.post(f"ab-tests/{test}/stop", json={"reason": "again"}).status_code == 409


def test_who_may(colony: Parts, test: str, new_token: MakeToken) -> None:
    """Whoever may only read or write cannot stop a test."""
    token = new_token("read", "write")
    client = colony.client(Access(guarded=True))

    assert client.get(f"ab-tests/{test}", token=token).status_code == 200
    assert client.post(f"ab-tests/{test}/stop", json={"reason": "x"}, token=token).status_code == 403

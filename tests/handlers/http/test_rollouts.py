"""Rollouts by the API: who serves whom, what the rollout goes by, and every change of what is served."""

from datetime import timedelta
from typing import Any

import pytest

from tests.handlers.http.api import Client, Parts
from tests.worker.world import BEE, BEES, NOW
from worker.decide.policy import Policy
from worker.rollout.evidence import Compared, Evidence
from worker.rollout_plan import GuardMetric, RolloutSpec
from worker.runs.rollout import look
from worker.runs.trial import rollout_of

PLANNED = BEE.model_copy(
    update={"rollout": RolloutSpec(strategy="canary", guards={"latency_ms": GuardMetric(margin=0.1, relative=True)})}
)
MODEL = f"models/{BEE.bee}"


@pytest.fixture(name="client")
def _client(colony: Parts) -> Client:
    """Give a client of an API whose bee has a plan."""
    return colony.client_with(bees=lambda: {**BEES, BEE.bee: PLANNED})


def told(colony: Parts, accuracy: float = 0.02, lower: float = 0.01) -> None:
    """Let the rollout look at evidence of two days later."""
    as_of = NOW + timedelta(days=2)
    primary = Compared("accuracy", 120, 0.9, 0.9 + accuracy, accuracy, lower, accuracy + 0.01)
    guard = Compared("latency_ms", 400, 20.0, 21.0, -1.0, -1.5, -0.5, "events")
    with colony.ledger.begin() as transaction:
        transaction.lock([BEE.bee])
        rollout = rollout_of(transaction, BEE.bee)
        assert rollout is not None
        evidence = Evidence(rollout.id, rollout.step, as_of, primary, {"latency_ms": guard}, 120)
        assert look(PLANNED, Policy(), transaction, evidence, as_of) is not None


def promote(client: Client, **more: Any) -> dict[str, Any]:
    """Promote version 2."""
    answer = client.post(f"{MODEL}/promote", json={"version": "2", "reason": "it is kinder", **more})
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def test_a_promotion_begins_a_rollout(client: Client) -> None:
    """The champion stays the version, a share of the traffic is the challenger's, and the plan tells what comes."""
    done = promote(client)
    assert (done["version"], done["trafficSplit"]) == ("1", {"2": 10, "1": 90})

    model = client.get(MODEL).json()
    assert (model["version"], model["trafficSplit"], model["shadow"]) == ("1", {"2": 10, "1": 90}, [])
    assert model["split"] == [{"version": "2", "percent": 10}, {"version": "1", "percent": 90}]
    rollout = client.get(f"{MODEL}/rollout").json()
    assert model["rollout"] == rollout
    assert model["salt"] == rollout["salt"] == rollout["rolloutId"]
    assert (rollout["state"], rollout["step"], rollout["missing"]) == ("running", 1, "it was not looked at yet")
    assert [step["percent"] for step in rollout["steps"] if not step["reached"]] == [50, 100]
    assert (rollout["metric"], rollout["evidence"]) == ("accuracy", None)


def test_evidence_is_told(client: Client, colony: Parts) -> None:
    """With what each metric proves, what the step lacks, and the numbers of every change."""
    promote(client)
    told(colony, accuracy=-0.01, lower=-0.04)
    waiting = client.get(f"{MODEL}/rollout").json()
    assert waiting["evidence"]["primary"]["verdict"] == "open"
    assert "not proven" in waiting["missing"]
    guard = waiting["evidence"]["guards"]["latency_ms"]
    assert (guard["source"], guard["margin"], guard["verdict"]) == ("events", 2.0, "not_worse")

    told(colony)
    advanced = client.get(f"{MODEL}/rollout").json()
    assert (advanced["step"], advanced["trafficSplit"]) == (2, {"2": 50, "1": 50})
    assert advanced["evidence"]["primary"]["verdict"] == "better"
    changes = client.get(f"{MODEL}/history").json()["changes"]
    assert [(one["trafficSplit"], one["by"]) for one in changes] == [
        ({"1": 100}, None),
        ({"2": 10, "1": 90}, "local"),
        ({"2": 50, "1": 50}, None),
    ]
    assert changes[-1]["numbers"]["challenger"] == pytest.approx(0.92)


def test_immediate_and_back(client: Client) -> None:
    """At once it serves everybody; going back from a rollout leaves the champion, which is told as the newest one."""
    promote(client)
    back = client.post(f"{MODEL}/rollback", json={"reason": "no"}).json()
    assert (back["version"], back["trafficSplit"]) == ("1", {"1": 100})
    over = client.get(f"{MODEL}/rollout").json()
    assert (over["state"], over["missing"], over["heldFrom"]) == ("stopped", None, None)
    assert client.get(MODEL).json()["rollout"] is None
    assert promote(client, immediate=True)["trafficSplit"] == {"2": 100}


def test_what_is_under_way_is_a_conflict(client: Client) -> None:
    """A second promotion waits for the first."""
    promote(client)
    answer = client.post(f"{MODEL}/promote", json={"version": "2", "reason": "again"})
    assert answer.status_code == 409
    assert "--immediate" in answer.json()["detail"]


def test_a_bee_without_a_rollout_has_none(client: Client) -> None:
    """Not found, and so is a bee that is not there; its history is what there was."""
    assert client.get(f"{MODEL}/rollout").status_code == 404
    assert client.get("models/nobody/rollout").status_code == 404
    assert client.get("models/nobody/history").status_code == 404
    assert [one["epoch"] for one in client.get(f"{MODEL}/history").json()["changes"]] == [1]
    assert client.get("models/other-bee/history").json() == {"changes": []}

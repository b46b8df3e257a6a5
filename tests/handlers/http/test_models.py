from typing import Any

import pytest

from tests.handlers.http.api import Parts
from tests.worker import world
from worker.models.port import Artifact


def test_promote_and_roll_back(colony: Parts) -> None:
    """An operator's promotion and rollback change what is in production, with the reason, and the world is told."""
    client = colony.client()

    promoted = client.post("models/spam-guard/promote", json={"version": "2", "reason": "it is kinder"})
    assert promoted.status_code == 200
    told = {name: promoted.json()[name] for name in ("version", "previous", "epoch", "reason")}
    assert told == {"version": "2", "previous": "1", "epoch": 2, "reason": "it is kinder"}
    assert client.get("models/spam-guard").json()["trafficSplit"] == {"2": 100}

    back = client.post("models/spam-guard/rollback", json={"reason": "it was not"})
    assert (back.json()["version"], back.json()["epoch"]) == ("1", 3)
    assert world.event_types(colony.ledger) == ["model.deployed", "model.rolled_back"]


def test_force(colony: Parts) -> None:
    """A version that has not passed its gate ships only by force, which every list shows."""
    with colony.ledger.begin() as transaction:
        transaction.models.add(world.version("3", gate_passed=False, artifact=Artifact("mem://3", "x")))
    client = colony.client()
    asked: dict[str, Any] = {"version": "3", "reason": "the bee is on fire"}

    refused = client.post("models/spam-guard/promote", json=asked)
    forced = client.post("models/spam-guard/promote", json={**asked, "force": True})

    assert (refused.status_code, refused.json()["field"]) == (422, "version")
    assert forced.status_code == 200
    shown = {item["version"]: item["forced"] for item in client.get("models").json()["models"]}
    assert shown == {"1": None, "2": None, "3": "the bee is on fire"}


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("spam-guard/promote", {"version": "9", "reason": "x"}, 404, "version"),
        ("spam-guard/promote", {"version": "1", "reason": "x"}, 409, None),
        ("spam-guard/promote", {"version": "2", "reason": " "}, 422, "reason"),
        ("spam-guard/promote", {"version": "2"}, 422, "reason"),
        ("spam-guard/promote", {"reason": "x"}, 422, "version"),
        ("spam-guard/rollback", {"reason": "x"}, 404, None),
        ("spam-guard/rollback", {"reason": "x", "version": "2"}, 422, "version"),
        ("nobody/promote", {"version": "1", "reason": "x"}, 404, "beeId"),
        ("nobody/rollback", {"reason": "x"}, 404, "beeId"),
    ],
)
def test_wrong_changes(colony: Parts, path: str, body: Any, status: int, field: str | None) -> None:
    """What cannot be put into production is refused, and what is there stays."""
    client = colony.client()

    answer = client.post(f"models/{path}", json=body)

    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert client.get("models/spam-guard").json()["version"] == "1"


def test_of_one_bee(colony: Parts) -> None:
    """The list can be narrowed to one bee."""
    client = colony.client()

    assert len(client.get("models", params={"beeId": "spam-guard"}).json()["models"]) == 2
    assert client.get("models", params={"beeId": "other-bee"}).json()["models"] == []

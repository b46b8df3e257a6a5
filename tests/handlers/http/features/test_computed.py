"""The mission's computed feature over HTTP: defined, read online, in batch and for training."""

from typing import Any

import pytest

from tests.handlers.http.api import Client, Parts

RATE = {
    "name": "rate",
    "entity": "member",
    "type": "number",
    "source": "computed",
    "computation": "sum(engagement) / account_age",
}


@pytest.fixture(name="client")
def _client(colony: Parts) -> Client:
    """Give a client of an API with one member, who was seen twice."""
    client = colony.client()
    for name in ("engagement", "account_age"):
        assert client.post("features/define", json={**RATE, "name": name, "source": "ingested", "computation": None})
    values = [("engagement", 4, 1), ("engagement", 2, 3), ("account_age", 8, 2)]
    for name, value, day in values:
        body = {"entityId": "m", "featureName": name, "value": value, "timestamp": f"2002-09-0{day}T00:00:00Z"}
        assert client.post("features/store", json=body).json()["new"] == 1
    return client


def _training(client: Client) -> Any:
    spine = [{"entityId": "m", "timestamp": f"2002-09-0{day}T00:00:00Z"} for day in (3, 2, 1)]
    body = {"spine": spine, "featureNames": ["rate"], "respectKnownAt": False}
    return [row["features"]["rate"] for row in client.post("features/training", json=body).json()["rows"]]


def test_the_missions_example(client: Client) -> None:
    """One definition, the same answer by each way."""
    defined = client.post("features/define", json=RATE)
    assert (defined.json()["version"], defined.json()["computation"]) == (1, RATE["computation"])
    expected = {"value": 0.75, "status": "PRESENT", "timestamp": "2002-09-03T00:00:00Z"}
    for _ in range(2):
        assert client.get("features/m/rate").json() == {"entityId": "m", "featureName": "rate", **expected}
    batch = client.post("features/batch", json={"entityIds": ["m", "x"], "featureNames": ["rate", "engagement"]})
    first, second = batch.json()["entities"]
    assert first["features"]["rate"] == expected
    assert second["features"]["rate"] == {"value": None, "status": "MISSING", "timestamp": None}
    assert _training(client) == [0.75, 0.5, None]


def test_a_mistake_is_a_problem_with_its_place(client: Client) -> None:
    """The field is the computation, and the detail shows where in it and what to do."""
    answer = client.post("features/define", json={**RATE, "computation": "sum(engagment) / account_age"})
    problem = answer.json()
    assert (problem["status"], problem["field"], problem["mend"]) == (422, "computation", "did you mean engagement?")
    assert problem["detail"].endswith(
        "    sum(engagment) / account_age\n        ^ the feature 'engagment' is not defined"
    )


def test_what_it_reads_cannot_be_deleted_or_changed(client: Client) -> None:
    """A conflict names the computed feature; a value for it is refused."""
    client.post("features/define", json=RATE)
    assert client.call("DELETE", "features/account_age").status_code == 409
    other = {**RATE, "name": "account_age", "type": "boolean", "source": "ingested", "computation": None}
    assert client.post("features/define", json=other).status_code == 409
    value = {"entityId": "m", "featureName": "rate", "value": 1}
    assert "takes no values" in client.post("features/store", json=value).text

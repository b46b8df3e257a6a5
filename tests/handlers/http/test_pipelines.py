from dataclasses import replace
from typing import Any

import pytest

from tests.handlers.http.api import Client, Parts
from tests.worker import world
from tests.worker.world import NOW
from worker.clock import to_text
from worker.engine.state import Status
from worker.runs.lifecycle import Verdict, concluded
from worker.runs.port import StepState

ASKED = {"pipeline": "auto-retrain", "parameters": {"beeId": "spam-guard"}}


@pytest.fixture(name="client")
def _client(colony: Parts) -> Client:
    return colony.client()


def _trigger(client: Client, key: str = "", **changes: Any) -> Any:
    return client.post("pipeline/trigger", json={**ASKED, **changes}, headers={"Idempotency-Key": key} if key else {})


def test_trigger(colony: Parts, client: Client) -> None:
    """A request becomes a PENDING run for the worker, and the answer says where to look at it."""
    answer = _trigger(client, parameters={"beeId": "spam-guard", "asOf": "2002-09-30T02:00:00+02:00"}, reason="drift")

    assert answer.status_code == 202
    body = answer.json()
    assert (body["pipeline"], body["beeId"], body["status"], body["reason"]) == (
        "auto-retrain",
        "spam-guard",
        "pending",
        "drift",
    )
    assert body["asOf"] == "2002-09-30T00:00:00Z"
    assert answer.headers["location"] == f"/api/mlops/pipeline/run/{body['runId']}"
    assert client.get(answer.headers["location"]).json()["runId"] == body["runId"]
    assert world.event_types(colony.ledger) == ["pipeline.run.requested"]


def test_without_a_time_it_is_now(client: Client) -> None:
    """The data end now where the request does not say."""
    assert _trigger(client).json()["asOf"] == to_text(NOW)


def test_the_same_key(colony: Parts, client: Client) -> None:
    """The same request again is the same run; with another body, or another bee, the key is refused by its name."""
    first = _trigger(client, "key-1")

    assert _trigger(client, "key-1").json() == first.json()
    for changes in ({"reason": "another"}, {"parameters": {"beeId": "other-bee"}}):
        answer = _trigger(client, "key-1", **changes)
        assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")
    with colony.ledger.begin(write=False) as transaction:
        assert len(transaction.runs.list()) == 1


def test_one_run_in_flight(client: Client) -> None:
    """While the bee has a run in flight another is a conflict that names it, with and without a key."""
    first = _trigger(client).json()["runId"]

    for key in ("", "key-2"):
        answer = _trigger(client, key)
        assert answer.status_code == 409
        assert first in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"pipeline": "auto-magic", "parameters": {"beeId": "spam-guard"}}, "pipeline"),
        ({"pipeline": "auto-retrain", "parameters": {"beeId": "nobody"}}, "parameters.beeId"),
        ({"pipeline": "auto-retrain", "parameters": {"beeId": "No Bee"}}, "parameters.beeId"),
        ({"pipeline": "auto-retrain", "parameters": {}}, "parameters.beeId"),
        ({"pipeline": "auto-retrain"}, "parameters"),
        ({"pipeline": "auto-retrain", "parameters": {"beeId": "spam-guard", "depth": 3}}, "parameters.depth"),
        ({"pipeline": "auto-retrain", "parameters": {"beeId": "spam-guard", "asOf": "2002-10-01"}}, "parameters.asOf"),
        ({"pipeline": "auto-retrain", "parameters": {"beeId": "spam-guard", "asOf": 7}}, "parameters.asOf"),
        (
            {"pipeline": "auto-retrain", "parameters": {"beeId": "spam-guard", "asOf": "2999-01-01T00:00:00Z"}},
            "parameters.asOf",
        ),
        ({**ASKED, "reason": "  "}, "reason"),
        ({**ASKED, "priority": 1}, "priority"),
    ],
)
def test_wrong_requests_name_the_field(client: Client, body: Any, field: str) -> None:
    """A request that cannot be a run is a problem that names the field and the mend, and leaves nothing."""
    answer = client.post("pipeline/trigger", json=body)

    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert answer.json()["mend"]
    assert client.get("pipeline/runs").json() == {"runs": [], "nextCursor": None}


@pytest.mark.parametrize("number", ["NaN", "1e999", "[[-Infinity]]", '{"deep": [NaN]}', "[" * 900 + "]" * 900])
def test_nothing_that_cannot_be_written_again(client: Client, number: str) -> None:
    """Python's JSON reader takes NaN, infinity and any depth; a run's parameters do not."""
    body = '{"pipeline": "auto-retrain", "parameters": {"beeId": "spam-guard", "depth": %s}}'.replace("%s", number)

    answer = client.post("pipeline/trigger", content=body, headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["field"]) == (422, "parameters.depth")


def test_a_run_in_full(colony: Parts, client: Client) -> None:
    """A run is told with its steps, their times, errors and log tails, its artifacts, and its outcome."""
    id_ = world.ask_for_run(colony.ledger).id
    artifact = {"name": "model", "type": "system.Model", "uri": "file:///m", "metadata": {"f1": 0.9}}
    outcome = world.outcome(id_, artifacts=[artifact, "broken", {"name": "bare"}])
    done = replace(world.get_run(colony.ledger, id_), status=Status.FAILED, error="train failed", ended_at=NOW)
    steps = [
        StepState("collect", Status.SUCCEEDED, 1, NOW, NOW, None, "read 5 rows"),
        StepState("train", Status.FAILED, 2, NOW, NOW, "exit 1", "Traceback …"),
    ]
    with colony.ledger.begin() as transaction:
        transaction.runs.save(concluded(done, Verdict.FAILED, outcome))
        transaction.runs.save_steps(id_, steps)

    found = client.get(f"pipeline/run/{id_}").json()

    told = {name: found[name] for name in ("runId", "pipeline", "beeId", "status", "verdict", "error", "endedAt")}
    assert told == {
        "runId": id_,
        "pipeline": "auto-retrain",
        "beeId": "spam-guard",
        "status": "failed",
        "verdict": "failed",
        "error": "train failed",
        "endedAt": to_text(NOW),
    }
    assert found["steps"][1] == {
        "stepId": "train",
        "status": "failed",
        "attempt": 2,
        "startedAt": to_text(NOW),
        "endedAt": to_text(NOW),
        "error": "exit 1",
        "logTail": "Traceback …",
    }
    assert found["artifacts"] == [artifact, {"name": "bare", "type": "", "uri": "", "metadata": {}}]
    assert found["outcome"] == outcome


@pytest.mark.parametrize("path", ["pipeline/run/no-run", "pipeline/run/no-run/events", "pipeline/run/no-run/cancel"])
def test_no_such_run(client: Client, path: str) -> None:
    """A run that is not there is not found, whatever is asked of it."""
    answer = client.call("POST" if path.endswith("cancel") else "GET", path)

    assert answer.status_code == 404
    assert "no-run" in answer.json()["detail"]


def test_cancel(colony: Parts, client: Client) -> None:
    """A cancellation is taken for the loops to carry out; what has ended cannot be cancelled."""
    id_ = world.ask_for_run(colony.ledger).id

    answer = client.post(f"pipeline/run/{id_}/cancel")

    assert (answer.status_code, answer.json()["cancelRequested"]) == (202, True)
    done = replace(world.get_run(colony.ledger, id_), status=Status.CANCELLED)
    with colony.ledger.begin() as transaction:
        transaction.runs.save(concluded(done, Verdict.CANCELLED, None))
    assert client.post(f"pipeline/run/{id_}/cancel").status_code == 409


def test_runs_page_by_page(colony: Parts, client: Client) -> None:
    """Following the cursors tells every run once, the newest first, and filters narrow the list."""
    asked = [world.ask_for_run(colony.ledger, key=bee, bee=bee) for bee in ("spam-guard", "other-bee", "third-bee")]
    seen: list[str] = []
    cursor = None
    while True:
        parameters = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = client.get("pipeline/runs", params=parameters).json()
        seen += [run["runId"] for run in page["runs"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break

    assert seen == sorted((run.id for run in asked), reverse=True)
    filters = {"beeId": "other-bee", "pipeline": "auto-retrain", "status": "pending", "since": to_text(NOW)}
    assert [run["runId"] for run in client.get("pipeline/runs", params=filters).json()["runs"]] == [asked[1].id]
    assert client.get("pipeline/runs", params={"status": "failed"}).json()["runs"] == []


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "WzEsMl0"}, "cursor"),
        ({"cursor": "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OSwiYSJd"}, "cursor"),
        ({"cursor": "WzkwMDAwMDAwMDAwMDAwMDAwMDAsImEiXQ"}, "cursor"),
        ({"limit": "0"}, "limit"),
        ({"status": "tired"}, "status"),
        ({"since": "yesterday"}, "since"),
        ({"since": "1033430400"}, "since"),
        ({"beeId": "No Bee"}, "beeId"),
        ({"beeID": "spam-guard"}, "beeID"),
    ],
)
def test_wrong_filters_name_the_field(client: Client, parameters: dict[str, str], field: str) -> None:
    """A filter that means nothing is refused by its name."""
    answer = client.get("pipeline/runs", params=parameters)

    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_filter_given_twice(client: Client) -> None:
    """Which of two values would count nobody can say, so neither does."""
    answer = client.get("pipeline/runs?beeId=spam-guard&beeId=other-bee")

    assert (answer.status_code, answer.json()["field"]) == (422, "beeId")


def test_templates(client: Client) -> None:
    """The templates are told with their parameters, and each step with those that it waits for."""
    found = {item["name"]: item for item in client.get("pipeline/templates").json()["templates"]}

    steps = {step["id"]: step["after"] for step in found["auto-retrain"]["steps"]}
    assert "train_model" in steps["evaluate_model"]
    assert all(item["error"] is None for item in found.values())

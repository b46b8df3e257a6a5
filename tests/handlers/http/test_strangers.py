import re
from typing import Any

import pytest

from tests.handlers.http.api import Client, Parts
from tests.worker import world
from worker.runs.lifecycle import Run

ASKED = '{"pipeline": "auto-retrain", "parameters": {"beeId": "spam-guard"}}'


@pytest.fixture(name="client")
def _client(colony: Parts) -> Client:
    return colony.client()


@pytest.fixture(name="run")
def _run(colony: Parts) -> Run:
    return world.ask_for_run(colony.ledger)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "pipeline/runs", "models/spam-guard", "decisions"])
def test_head_is_get_without_a_body(client: Client, path: str) -> None:
    """HEAD answers with the headers of GET and nothing else."""
    head, get = client.call("HEAD", path), client.get(path)

    assert (head.status_code, head.content) == (get.status_code, b"")
    assert {**head.headers} == {**get.headers}


def test_head_of_a_stream_ends(client: Client, run: Run) -> None:
    """HEAD of a stream that goes on is over at once."""
    answer = client.call("HEAD", f"pipeline/run/{run.id}/events")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "pipeline/runs", "GET, HEAD"),
        ("OPTIONS", "pipeline/runs", "GET, HEAD"),
        ("HEAD", "pipeline/trigger", "POST"),
        ("GET", "pipeline/trigger", "POST"),
        ("TRACE", "models", "GET, HEAD"),
    ],
)
def test_other_methods(client: Client, method: str, path: str, allowed: str) -> None:
    """A method that is not answered is refused with those that are."""
    answer = client.call(method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["pipeline/runs/", "models/", "/healthz/", "models/spam-guard/"])
def test_a_slash_at_the_end(client: Client, path: str) -> None:
    """There is one address for each thing; a slash too many is told, never redirected to who knows which host."""
    answer = client.get(path, headers={"Host": "evil.example"})

    assert (answer.status_code, answer.json()["mend"]) == (404, "leave out the slash at its end")


@pytest.mark.parametrize("written", ["%61uto-retrain", "auto%2Dretrain"])
def test_percent_encoding_means_the_same(client: Client, run: Run, written: str) -> None:
    """A path that is escaped where it need not be names the same run; an escaped slash names nothing."""
    assert client.get(f"pipeline/run/{run.id.replace('auto-retrain', written, 1)}").json()["runId"] == run.id
    assert client.get("pipeline/run/..%2F..%2Fhealthz").status_code == 404


@pytest.mark.parametrize(
    "type_", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data; boundary=x"]
)
def test_a_body_that_is_not_said_to_be_json(client: Client, type_: str) -> None:
    """A body of another type is refused by its type, before anybody reads it; so no web form can act for someone."""
    answer = client.post("pipeline/trigger", content=ASKED, headers={"Content-Type": type_})

    problem = answer.json()
    assert (answer.status_code, problem["field"]) == (415, "Content-Type")
    assert problem["mend"] == "send Content-Type: application/json"
    assert type_ in problem["detail"]


def test_a_body_of_no_type(client: Client) -> None:
    """The same for a body that says nothing of itself."""
    assert client.post("pipeline/trigger", content=ASKED).status_code == 415


def test_a_key_given_twice(client: Client) -> None:
    """Of two keys nobody knows which one counts."""
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b"), ("Content-Type", "application/json")]
    answer = _post(client, headers)

    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")


def _post(client: Client, headers: list[tuple[str, str]]) -> Any:
    import asyncio

    import httpx

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(client.api)
        async with httpx.AsyncClient(transport=transport, base_url="http://colony.test") as caller:
            return await caller.post("/api/mlops/pipeline/trigger", content=ASKED, headers=headers)

    return asyncio.run(send())


@pytest.mark.parametrize("since", ["2026-01-01T00:00:00+00:00", "yesterday", "2026-01-01", "2026-13-01T00:00:00Z"])
def test_a_time_that_is_none(client: Client, since: str) -> None:
    """A time without a zone, or with a plus that was not escaped, is told with the form that is right."""
    problem = client.get(f"pipeline/runs?since={since}").json()

    assert (problem["status"], problem["field"]) == (422, "since")
    assert "write it as 2002-10-01T00:00:00Z" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("GET", "pipeline/run/no-run", "runId"),
        ("GET", "pipeline/run/no-run/events", "runId"),
        ("POST", "pipeline/run/no-run/cancel", "runId"),
        ("GET", "models/nobody", "beeId"),
    ],
)
def test_what_is_not_there_is_named(client: Client, method: str, path: str, field: str) -> None:
    """A problem names what nothing was found by."""
    answer = client.call(method, path)

    assert (answer.status_code, answer.json()["field"]) == (404, field)


def test_pages_stay_whole_while_runs_come_in(colony: Parts, client: Client) -> None:
    """Whoever follows the cursors sees each run that was there once, though others are asked for meanwhile."""
    before = {world.ask_for_run(colony.ledger, key=f"k{n}", bee=f"bee-{n}").id for n in range(5)}
    seen: list[str] = []
    cursor = None
    for number in range(10):
        page = client.get("pipeline/runs", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [run["runId"] for run in page["runs"]]
        world.ask_for_run(colony.ledger, key=f"late{number}", bee=f"late-bee-{number}")
        cursor = page["nextCursor"]
        if not cursor:
            break

    assert before <= set(seen)
    assert len(seen) == len(set(seen))


def test_a_cursor_that_somebody_changed(colony: Parts, client: Client) -> None:
    """Each character of a cursor changed is either refused by name or a page of the same list; never a fault."""
    for number in range(3):
        world.ask_for_run(colony.ledger, key=f"k{number}", bee=f"bee-{number}")
    cursor = client.get("pipeline/runs", params={"limit": 1}).json()["nextCursor"]

    for place in range(len(cursor)):
        for other in ("A", "_", "%00", "é"):
            answer = client.get(f"pipeline/runs?cursor={cursor[:place]}{other}{cursor[place + 1 :]}")
            assert answer.status_code == 200 or (answer.status_code, answer.json()["field"]) == (422, "cursor")


def test_problems_are_said_in_words(client: Client) -> None:
    """A title is the status's own phrase."""
    assert re.fullmatch(r"Unprocessable \w+", client.get("pipeline/runs?limit=0").json()["title"])

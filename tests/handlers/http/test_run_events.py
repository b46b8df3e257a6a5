import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from handlers.http.access import Access
from handlers.http.run_events import Streams
from tests.handlers.http.api import Parts
from tests.worker import world
from worker.engine.state import Status
from worker.errors import TryLater
from worker.runs.lifecycle import Verdict, concluded, moved
from worker.runs.port import StepState

QUICK = 0.01


def _run(colony: Parts) -> str:
    return world.ask_for_run(colony.ledger).id


def _settle(colony: Parts, id_: str) -> None:
    with colony.ledger.begin() as transaction:
        run = transaction.runs.get(id_)
        assert run is not None
        done = moved(moved(run, Status.QUEUED, world.NOW), Status.SUCCEEDED, world.NOW)
        transaction.runs.save(concluded(done, Verdict.REJECTED, None))


async def _next(events: AsyncIterator[str], kind: str) -> str:
    async with asyncio.timeout(10):
        async for text in events:
            if text.startswith(": ") if kind == "alive" else f"event: {kind}" in text:
                return text
    raise AssertionError(kind)


def test_from_state_to_state_to_the_end(colony: Parts) -> None:
    """A follower is told the state at once, then each change, and the end once the run is settled."""
    id_ = _run(colony)
    streams = Streams(colony.ledger, 1, poll_s=QUICK)

    async def follow() -> list[str]:
        events = streams.follow(id_, None)
        told = [await _next(events, "state")]
        assert streams.full
        with colony.ledger.begin() as transaction:
            transaction.runs.save_steps(id_, [StepState("train", Status.RUNNING, log_tail="a line")])
        told.append(await _next(events, "state"))
        _settle(colony, id_)
        told += [await _next(events, "state"), await _next(events, "end")]
        assert [rest async for rest in events] == []
        return told

    first, second, third, end = asyncio.run(follow())

    assert json.loads(first.partition("data: ")[2])["status"] == "pending"
    assert json.loads(second.partition("data: ")[2])["steps"][0]["status"] == "running"
    assert "a line" not in second
    assert json.loads(third.partition("data: ")[2])["settled"]
    assert json.loads(end.partition("data: ")[2]) == {"runId": id_, "status": "succeeded", "verdict": "rejected"}
    assert not streams.full


def test_who_comes_back_hears_only_news(colony: Parts) -> None:
    """The last id that a client knows keeps it from being told the same again."""
    id_ = _run(colony)
    _settle(colony, id_)
    client = colony.client()

    first = client.get(f"pipeline/run/{id_}/events").text
    known = first.partition("id: ")[2].split("\n")[0]
    again = client.get(f"pipeline/run/{id_}/events", headers={"Last-Event-ID": known}).text

    assert first.count("event: state") == 1
    assert "event: state" not in again
    assert again.count("event: end") == 1


def test_signs_of_life_while_the_ledger_is_away(colony: Parts) -> None:
    """Nothing new, or no ledger to ask, is told by comments; the stream goes on when the ledger is back."""
    id_ = _run(colony)

    class Flaky:
        """A ledger that is away as long as a test says so."""

        away = False

        def begin(self, *, write: bool = True) -> object:
            if self.away:
                raise TryLater("away")
            return colony.ledger.begin(write=write)

    ledger = Flaky()
    streams = Streams(ledger, 1, poll_s=QUICK, alive_s=QUICK)  # type: ignore[arg-type]

    async def follow() -> None:
        async with aclosing(streams.follow(id_, None)) as events:
            await _next(events, "state")
            ledger.away = True
            await _next(events, "alive")
            ledger.away = False
            _settle(colony, id_)
            await _next(events, "end")

    asyncio.run(follow())


def test_who_leaves_makes_room(colony: Parts) -> None:
    """A stream that is closed before its end is no longer counted."""
    id_ = _run(colony)
    streams = Streams(colony.ledger, 1, poll_s=QUICK)

    async def leave() -> None:
        async with aclosing(streams.follow(id_, None)) as events:
            await _next(events, "state")
            assert streams.full

    asyncio.run(leave())
    assert not streams.full


def test_only_so_many(colony: Parts) -> None:
    """A stream too many is refused, with when to come back."""
    id_ = _run(colony)
    client = colony.client(replace(Access(), streams=0))

    answer = client.get(f"pipeline/run/{id_}/events")

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "30"


@pytest.mark.parametrize("headers", [{"Last-Event-ID": "x" * 65}])
def test_an_id_that_is_too_long(colony: Parts, headers: dict[str, str]) -> None:
    """What never was an id of ours is refused."""
    assert colony.client().get(f"pipeline/run/{_run(colony)}/events", headers=headers).status_code == 422

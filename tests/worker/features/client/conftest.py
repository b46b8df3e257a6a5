"""A real server in a thread, and both clients behind one face."""

import asyncio
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from handlers.commands.manage_tokens import create_token
from handlers.http import build
from handlers.http.access import Access
from handlers.http.server import Server
from tests.handlers.http.api import Parts, parts
from tests.worker.world import NOW
from worker.features.client import AsyncFeatureClient, FeatureClient
from worker.features.client.retry import Patience
from worker.features.port import Definition

#: Waits so little that a test may wait for it.
QUICK = Patience(attempts=3, first_wait_s=0.01, longest_wait_s=0.02, timeout_s=5)


@pytest.fixture(name="colony", scope="module")
def _colony(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with parts(tmp_path_factory.mktemp("client")) as made:
        made.features.define(Definition("score", "content", "number"))
        made.features.define(Definition("name", "content", "string", ttl=timedelta(days=1)))
        yield made


@pytest.fixture(name="port", scope="module")
def _port(colony: Parts) -> Iterator[int]:
    """Serve on this machine, without tokens; give the port."""
    server = Server(build(colony.services()), "127.0.0.1", 0)
    server.start()
    yield server.port
    server.stop()


@pytest.fixture(name="guarded", scope="module")
def _guarded(colony: Parts) -> Iterator[tuple[int, str]]:
    """Serve to whoever has a token, 60 times a minute; give the port and a token that may read."""
    _, token = create_token("a test", ["read"], colony.ledger, NOW, random=os.urandom(38))
    server = Server(build(colony.services(Access(guarded=True, requests=60))), "127.0.0.1", 0)
    server.start()
    yield server.port, token
    server.stop()


class Blocking:
    """The asyncio client as if it were the other one: each call is waited for."""

    def __init__(self, url: str, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = AsyncFeatureClient(url, **options)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *args, **kwargs: self._loop.run_until_complete(_collected(method(*args, **kwargs)))

    def close(self) -> None:
        """Close the client, then its loop."""
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


async def _collected(result: Any) -> Any:
    return [item async for item in result] if hasattr(result, "__aiter__") else await result


Connect = Callable[..., Any]


@pytest.fixture(name="connect", params=["blocking", "asyncio"])
def _connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Give what makes a client of a URL."""
    made: list[Any] = []

    def connect(url: str, **options: Any) -> Any:
        kind = FeatureClient if request.param == "blocking" else Blocking
        made.append(kind(url, **{"patience": QUICK, **options}))
        return made[-1]

    yield connect
    for client in made:
        client.close()

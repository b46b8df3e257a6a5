import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from handlers.http import build
from handlers.http.server import Server
from tests.handlers.http.api import Parts
from tests.worker import world


@pytest.fixture(name="server")
def _server(colony: Parts) -> Iterator[Server]:
    server = Server(build(colony.services()), "127.0.0.1", 0)
    server.start()
    yield server
    server.stop()


def test_small_answers_leave_at_once(server: Server) -> None:
    """On a kept connection an answer does not wait for the other side's delayed acknowledgement (40 ms)."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:

        def taken() -> float:
            start = time.perf_counter()
            assert client.get("/healthz").status_code == 200
            return time.perf_counter() - start

        # The other side acknowledges the first few at once; after that every answer would wait.
        for _ in range(15):
            taken()
        # On a busy machine many take longer for other reasons.
        assert any(taken() < 0.03 for _ in range(500))


def test_open_streams_do_not_keep_it_from_stopping(colony: Parts, server: Server) -> None:
    """A follower of a run that goes on is let go when the server stops."""
    id_ = world.ask_for_run(colony.ledger).id
    following, ended = threading.Event(), threading.Event()

    def follow() -> None:
        url = f"http://127.0.0.1:{server.port}/api/mlops/pipeline/run/{id_}/events"
        try:
            with httpx.stream("GET", url, timeout=120) as stream:
                for line in stream.iter_lines():
                    if line == "event: state":
                        following.set()
        except httpx.RemoteProtocolError:
            # Cut off in the middle, as a client of an endless stream must expect.
            ended.set()
        ended.set()

    follower = threading.Thread(target=follow)
    follower.start()
    assert following.wait(60)
    server.stop()

    assert ended.wait(60)
    follower.join(60)

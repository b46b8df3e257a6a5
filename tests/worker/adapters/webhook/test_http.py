"""The webhook over real HTTP."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from worker.adapters.webhook.http import HttpHook
from worker.errors import Rejected, TryLater

SECRET = "/services/T000/B000/verysecret"


class Server(HTTPServer):
    """Answers with `status`, and keeps what came."""

    status = 200
    words = b"ok"

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.came: list[tuple[str, str, object]] = []

    @property
    def url(self) -> str:
        """The webhook's URL."""
        return f"http://127.0.0.1:{self.server_port}{SECRET}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        """Keep the body, and answer as the test has set."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.words)))
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()
        self.wfile.write(self.server.words)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(name="server")
def _server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_it_posts_json(server: Server) -> None:
    """The message arrives as it is."""
    hook = HttpHook(server.url)
    hook.send({"text": "an incident needs a person → now"})
    hook.close()

    assert server.came == [(SECRET, "application/json", {"text": "an incident needs a person → now"})]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, TryLater), (503, TryLater), (429, TryLater), (302, TryLater), (400, Rejected), (404, Rejected)],
)
def test_what_is_not_taken(server: Server, status: int, kind: type[Exception]) -> None:
    """The status tells whether it is tried again; the secret is in no error."""
    server.status, server.words = status, f"no such hook {SECRET}".encode()
    hook = HttpHook(server.url)

    with pytest.raises(kind) as raised:
        hook.send({"text": "x"})

    hook.close()
    assert f"127.0.0.1 answered {status}" in str(raised.value)
    assert "verysecret" not in str(raised.value)
    assert len(server.came) == 1


def test_nobody_there() -> None:
    """A port that nobody listens on is tried again later; the secret is not told."""
    server = Server()
    url = server.url
    server.server_close()

    with pytest.raises(TryLater) as raised:
        HttpHook(url).send({"text": "x"})

    assert "verysecret" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("url", ["", "ftp://example.org/x", "hooks.example.org/x", "http://", "http://[::1/secret"])
def test_a_wrong_url(url: str) -> None:
    """What is no http(s) URL is refused, and not repeated."""
    with pytest.raises(Rejected, match="COLONY_WEBHOOK") as raised:
        HttpHook(url)
    assert "secret" not in str(raised.value)

"""A webhook on this machine: takes what is posted to a secret path, and keeps it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

SECRET = "/services/T000/B000/verysecret"


class WebhookServer(HTTPServer):
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
    server: WebhookServer

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


@pytest.fixture(name="webhook_server")
def _webhook_server() -> Iterator[WebhookServer]:
    """Give a webhook that listens."""
    server = WebhookServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()

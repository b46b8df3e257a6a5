import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from worker.errors import Rejected, TryLater
from worker.steps.trainers.chat import endpoint_from
from worker.steps.trainers.secret import read_secret

NAME = "projects/colony/secrets/chat-key/versions/latest"
_TOKEN = "/computeMetadata/v1/instance/service-accounts/default/token"


class Google:
    """The metadata server and the Secret Manager in one; `answers` replaces what a path gives."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {
            _TOKEN: (200, b'{"access_token": "t1", "expires_in": 3599, "token_type": "Bearer"}'),
            f"/v1/{NAME}:access": (200, _payload(b"hush\n")),
        }
        self.seen: list[tuple[str, str | None, str | None]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead here."""
        host = f"127.0.0.1:{self._server.server_port}"
        return {"GCE_METADATA_HOST": host, "COLONY_SECRET_MANAGER_URL": f"http://{host}"}

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        google = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                google.seen.append((self.path, self.headers["Metadata-Flavor"], self.headers["Authorization"]))
                code, body = google.answers.get(self.path, (404, b"{}"))
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


def _payload(data: bytes) -> bytes:
    return json.dumps({"name": NAME, "payload": {"data": base64.b64encode(data).decode()}}).encode()


@pytest.fixture(name="google")
def _google() -> Iterator[Google]:
    google = Google()
    yield google
    google.close()


def test_the_key_of_a_chat_endpoint(google: Google) -> None:
    """The endpoint's key comes from the named secret, read with the machine's own token; a given key goes first."""
    environment = {"COLONY_CHAT_URL": "http://x/v1", "COLONY_CHAT_KEY_SECRET": NAME, **google.environment}

    endpoint = endpoint_from(environment)

    assert endpoint.key == "hush"
    assert "hush" not in repr(endpoint)
    assert google.seen == [(_TOKEN, "Google", None), (f"/v1/{NAME}:access", None, "Bearer t1")]
    assert endpoint_from({**environment, "COLONY_CHAT_KEY": "mine"}).key == "mine"
    assert len(google.seen) == 2


@pytest.mark.parametrize(
    ("path", "answer", "error", "words"),
    [
        (f"/v1/{NAME}:access", (403, b"{}"), Rejected, "answered 403.*secretAccessor"),
        (f"/v1/{NAME}:access", (404, b"{}"), Rejected, "the Secret Manager answered 404. Name one that exists"),
        (f"/v1/{NAME}:access", (503, b""), TryLater, "the Secret Manager answered 503 for KEY"),
        (f"/v1/{NAME}:access", (200, b"no json"), TryLater, "answered no JSON"),
        (f"/v1/{NAME}:access", (200, b"[]"), Rejected, "the secret is no text"),
        (f"/v1/{NAME}:access", (200, _payload(b"\xff")), Rejected, "the secret is no text"),
        (_TOKEN, (404, b""), Rejected, "the metadata server answered 404"),
        (_TOKEN, (500, b""), TryLater, "the metadata server answered 500"),
    ],
)
def test_faults(google: Google, path: str, answer: tuple[int, bytes], error: type[Exception], words: str) -> None:
    """What cannot be read is told with whose fault it is, and whether another try may help."""
    google.answers[path] = answer

    with pytest.raises(error, match=words):
        read_secret(NAME, google.environment, field="KEY")


def test_away() -> None:
    """Without a metadata server, as on a laptop, the step says so and may be tried again."""
    with pytest.raises(TryLater, match="the metadata server cannot be reached for KEY"):
        read_secret(NAME, {"GCE_METADATA_HOST": "127.0.0.1:1"}, field="KEY")


@pytest.mark.parametrize(
    "name", ["chat-key", "projects/p/secrets/s", "projects/p/secrets/../x/versions/1", NAME + "?x"]
)
def test_no_name(name: str) -> None:
    """What is no secret's name is never asked for."""
    with pytest.raises(Rejected, match="is no secret's name"):
        read_secret(name, {}, field="KEY")

"""A server on this machine that speaks OpenAI's chat protocol, with the faults that real ones have."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Reply:
    """What the server answers; `chunks` of the body come with `pause_s` between them."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    chunks: int = 1
    pause_s: float = 0.0
    usage: dict[str, int] | None = None


_PATIENCE_S = 60.0  # how long a request waits for others, so that a test fails and does not hang

Answer = Callable[[dict[str, Any]], Reply]


class ChatServer:
    """Answers by `answer`, and keeps what was asked and when."""

    def __init__(self) -> None:
        self.answer: Answer = lambda _: Reply("hello")
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.most_at_once = 0
        self.answer_once = 1  # that many requests have to be under way before the first is answered
        self._now = 0
        self._lock = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base URL, as COLONY_CHAT_URL takes it."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, request: dict[str, Any], key: str | None) -> Reply:
        """Note a request and return its reply."""
        with self._lock:
            self.requests.append(request)
            self.keys.append(key)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            self._lock.notify_all()
            self._lock.wait_for(lambda: self.most_at_once >= self.answer_once, _PATIENCE_S)
        return self.answer(request)

    def done(self) -> None:
        """Note that a reply was sent."""
        with self._lock:
            self._now -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path != "/v1/chat/completions":
                    self.send_error(404)
                    return
                reply = server.take(content, self.headers.get("Authorization"))
                try:
                    self._send(reply, content)
                except (BrokenPipeError, ConnectionResetError):
                    return  # the client has given up, as the tests want
                finally:
                    server.done()

            def _send(self, reply: Reply, content: dict[str, Any]) -> None:
                body = reply.body if reply.body is not None else _completion(reply, content)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                size = -(-len(body) // reply.chunks) or 1
                for start in range(0, len(body), size):
                    time.sleep(reply.pause_s)
                    self.wfile.write(body[start : start + size])
                    self.wfile.flush()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


def _completion(reply: Reply, content: dict[str, Any]) -> bytes:
    asked = " ".join(message["content"] for message in content["messages"])
    usage = reply.usage or {"prompt_tokens": len(asked.split()), "completion_tokens": len(reply.text.split())}
    message = {"role": "assistant", "content": reply.text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode()


@pytest.fixture(name="chat_server")
def _chat_server() -> Iterator[ChatServer]:
    """A chat server for one test."""
    server = ChatServer()
    yield server
    server.close()

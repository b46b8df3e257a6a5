"""A colony's names and stand-ins for the services that a check-up asks."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials

from tests.worker.adapters.google_checks.answers import Answers, rights
from worker.adapters.google_checks import Place

PROJECT = "colony-test"
WORKER = "colony-worker@colony-test.iam.gserviceaccount.com"
NAMES = {
    "region": "europe-west1",
    "subscription": "colony-model-evaluated",
    "intake_topic": "colony-model-evaluated",
    "events_topic": "colony-events",
    "dead_letter_topic": "colony-dead-letters",
    "bucket": "colony-test-colony",
    "store": "colony",
    "store_region": "europe-west1",
    "steps_account": "colony-steps@colony-test.iam.gserviceaccount.com",
}
USED = {
    "bus": "pubsub",
    "engine": "vertex",
    "features": "google",
    "models": "vertex",
    "metrics": "monitoring",
    "serving": "vertex",
    "online": "vertex",
}


class Worker(AnonymousCredentials):  # type: ignore[misc]
    """Credentials of the worker's account, which need no network."""

    service_account_email = WORKER


@pytest.fixture(name="google")
def _google() -> Iterator[Answers]:
    """Give a server that knows of rights."""
    answers = Answers(rights)
    yield answers
    answers.server.close()


@pytest.fixture(name="rest")
def _rest() -> Iterator["RestServer"]:
    server = RestServer()
    yield server
    server.close()


@pytest.fixture(name="place")
def _place() -> Callable[..., Place]:
    """Return a function that gives the colony's place, with stand-ins by service, and other names by their own."""

    def place(stand_ins: dict[str, str] | None = None, **names: Any) -> Place:
        made = Place(project=PROJECT, used=USED, task="doctor-1", stand_ins=stand_ins or {}, **NAMES)
        made = replace(made, **names)
        vars(made)["_credentials"] = Worker()
        return made

    return place


class RestServer:
    """A stand-in for services of JSON over HTTP: answers by method and path, 404 for all else."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.answers: dict[str, tuple[int, Any]] = {}
        self.calls: list[tuple[str, Any]] = []
        handler = type("Handler", (_Handler,), {"rest": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    rest: RestServer

    def do_GET(self) -> None:
        """Answer."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = f"{self.command} {self.path.partition('?')[0]}"
        self.rest.calls.append((asked, json.loads(body) if body else None))
        found = (answer for pattern, answer in self.rest.answers.items() if re.fullmatch(pattern, asked))
        status, content = next(found, (404, {"error": {"code": 404, "message": f"Not found: {asked}"}}))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def do_POST(self) -> None:
        """Answer likewise."""
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's signature
        """Say nothing."""

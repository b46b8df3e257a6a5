"""Health of a worker for whoever watches it: `/healthz`, `/readyz` and `/livez` on a port of their own.

Made of the standard library alone, so that the port answers while the libraries, which take seconds, are still loading.
Strangers may ask: what is away is named, the reasons are in the log.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from worker.errors import ColonyError, TryLater
from worker.loops import Loop

#: A turn that lasts longer hangs: no call waits for as long, and a run is never waited for within a turn.
STUCK_S = 600.0
_REQUEST_S = 5.0

#: What is wrong, by the names of the parts; none: all is well.
Answer = Callable[[], Sequence[str]]


class Probes:
    """Answers from `start` on; `watch` tells what to look at once there is something."""

    def __init__(self, port: int) -> None:
        """Prepare for `port`; 0 is for none, and nothing listens."""
        self._port = port
        self._server: ThreadingHTTPServer | None = None
        self._answers: dict[str, Answer] = {"/healthz": lambda: (), "/livez": lambda: (), "/readyz": lambda: ["start"]}

    def start(self) -> None:
        """Listen. Raises TryLater if the port cannot be had."""
        if not self._port:
            return
        answers = self._answers

        class Handler(_Handler):
            def found(self) -> Sequence[str] | None:
                answer = answers.get(self.path.partition("?")[0])
                return None if answer is None else answer()

        try:
            # The watcher stands outside the container; no answer tells more than the names of parts.
            self._server = ThreadingHTTPServer(("0.0.0.0", self._port), Handler)  # noqa: S104
        except OSError as error:
            raise TryLater(f"cannot listen on COLONY_HEALTH_PORT {self._port}: {error}") from error
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="colony-probes", daemon=True).start()

    def watch(self, loops: Sequence[Loop], ledger: Callable[[], object]) -> None:
        """Answer from now on by what the loops do and whether `ledger` raises nothing."""
        self._answers |= {"/livez": lambda: hung(loops), "/readyz": lambda: away(loops, ledger)}

    def close(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()


def hung(loops: Sequence[Loop]) -> Sequence[str]:
    """Return the loops that a restart would mend: those that ended by themselves, or hang in a turn."""
    now = time.monotonic()
    return [loop.name for loop in loops if not loop.is_alive() or now - (loop.turning_since or now) > STUCK_S]


def away(loops: Sequence[Loop], ledger: Callable[[], object]) -> Sequence[str]:
    """Return what keeps the worker from its work: hung loops, vital ones with a fault, the ledger."""
    found = dict.fromkeys([*hung(loops), *(loop.name for loop in loops if loop.fault and loop.vital)])
    try:
        ledger()
    except ColonyError:
        found["ledger"] = None
    return list(found)


@contextmanager
def probing() -> Iterator[Probes]:
    """Give the probes of the settings, listening; they end with the block."""
    from config.settings import read_settings

    probes = Probes(read_settings().health_port)
    probes.start()
    try:
        yield probes
    finally:
        probes.close()


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD with one JSON object."""

    timeout = _REQUEST_S

    def found(self) -> Sequence[str] | None:
        """Return what is wrong for the request's path; None if there is no such path."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Answer 200, 503 with the names of what is away, or 404."""
        wrong = self.found()
        status = 404 if wrong is None else 503 if wrong else 200
        said = {200: "ok", 404: "not found", 503: "unavailable"}[status]
        body = json.dumps({"status": said, "away": list(wrong or ())})
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    def do_HEAD(self) -> None:
        """Answer as GET does, without the body."""
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's signature
        """Say nothing: a probe comes every few seconds."""

"""Online reads over HTTP on 16 connections, one server process, against bare Starlette that answers with a constant.

And against Feast's own feature server. Ours is `colony serve` itself; servers and load are processes of their own, and
the servers take turns.
"""

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import feast
from tests.bench.measure import Figure
from worker.adapters.features.local import LocalFeatureStore
from worker.features.port import Definition, Write

ENTITIES, FEATURES = 20_000, 9
CONNECTIONS, REQUESTS, ROUNDS = 16, 6_000, 5
_NAMES = [f"feature_{number}" for number in range(FEATURES)]
_ENTITY = f"entity-{ENTITIES // 2}"
_BATCH = json.dumps({"entityId": _ENTITY, "featureNames": _NAMES})
_STARLETTE = "bare Starlette, a constant"
_FEAST_SERVER = f"{feast.NAME}, its feature server"
FEAST_ENTITIES, FEAST_REQUESTS, START_S = 2_000, 800, 120
_FEAST = json.dumps({"features": [f"view:f{n}" for n in range(FEATURES)], "entities": {"thing": ["e1000"]}})


def bench(directory: Path) -> list[Figure]:
    """Return microseconds per request, of the whole machine."""
    _fill(directory / "features")
    nine = _request("POST", "/api/mlops/features/batch", _BATCH)
    one = _request("GET", f"/api/mlops/features/{_ENTITY}/{_NAMES[0]}")
    with ExitStack() as stack:
        port = stack.enter_context(_colony(directory))
        answer = directory / "answer.json"
        answer.write_bytes(_answer(port, nine))
        constant = stack.enter_context(_constant(answer))
        runs = {
            "nine": (port, nine, REQUESTS),
            "one": (port, one, REQUESTS),
            "constant": (constant, _request("POST", "/constant", _BATCH), REQUESTS),
        }
        theirs = stack.enter_context(_feast())
        if theirs is not None:
            runs["feast"] = (theirs, _request("POST", "/get-online-features", _FEAST), FEAST_REQUESTS)
        us = _measure(runs)
    where = f"{CONNECTIONS} connections"
    return [
        Figure(f"HTTP: {FEATURES} features of an entity, {where}", us["nine"], us["constant"], "µs", _STARLETTE),
        Figure(f"HTTP: one feature of an entity, {where}", us["one"], us["constant"], "µs", _STARLETTE),
        Figure(f"HTTP: {FEATURES} features of an entity, {where}", us["nine"], us.get("feast"), "µs", _FEAST_SERVER),
    ]


def _measure(runs: Mapping[str, tuple[int, bytes, int]]) -> dict[str, float]:
    """Return name → microseconds per request, the median of rounds in which they take turns."""
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            rates[name].append(_load(*run))
    return {name: 1e6 / statistics.median(found) for name, found in rates.items()}


def _fill(directory: Path) -> None:
    at = datetime(2002, 9, 1, tzinfo=UTC)
    store = LocalFeatureStore(directory, lambda: datetime.now(tz=UTC))
    for name in _NAMES:
        store.define(Definition(name, "content", "number"))
    for start in range(0, ENTITIES, 2_000):
        ids = [f"entity-{number}" for number in range(start, start + 2_000)]
        store.write(Write(id_, name, at_ / 7, at) for id_ in ids for at_, name in enumerate(_NAMES))
    store.close()


def _request(method: str, path: str, body: str = "") -> bytes:
    told = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{told}\r\n{body}".encode()


@contextmanager
def _colony(directory: Path) -> Iterator[int]:
    """Serve the directory and give the port."""
    environment = {**os.environ, "COLONY_HOME": str(directory)}
    command = [sys.executable, "-m", "worker", "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr
            found = None
            while found is None:
                line = server.stderr.readline()
                if not line:
                    raise RuntimeError("the server did not start")
                found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
            yield int(found[1])
        finally:
            server.terminate()


@contextmanager
def _constant(answer: Path) -> Iterator[int]:
    """Serve a constant and give the port."""
    command = [sys.executable, "-m", "tests.bench.http_constant", str(answer)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            yield int(server.stdout.readline())
        finally:
            server.terminate()


@contextmanager
def _feast() -> Iterator[int | None]:
    """Serve Feast's own feature server and give the port, None if Feast is not installed."""
    if not feast.PYTHON.exists():
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = [str(feast.PYTHON), "-W", "ignore", str(feast.PEER), "serve", str(port), str(FEAST_ENTITIES)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            end = time.monotonic() + START_S
            while not _listens(port):
                if server.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("Feast's server did not start")
                time.sleep(0.2)
            yield port
        finally:
            server.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answer(port: int, request: bytes) -> bytes:
    """Return the answer that the load will get, having seen that it is a good one."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        received = b""
        while received.count(b"PRESENT") < FEATURES:
            part = connection.recv(65_536)
            if not part:
                raise RuntimeError(received.decode())
            received += part
    return received.partition(b"\r\n\r\n")[2]


def _load(port: int, request: bytes, requests: int) -> float:
    """Return requests per second."""
    command = [sys.executable, "-m", "tests.bench.http_load", str(port), str(requests), str(CONNECTIONS)]
    return float(subprocess.run(command, input=request, check=True, stdout=subprocess.PIPE).stdout)

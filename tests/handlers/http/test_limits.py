import asyncio
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.http import build
from handlers.http.limits import MAX_BODY, LimitBody
from handlers.http.server import Server
from tests.handlers.http.api import Parts

PATH = "/api/mlops/pipeline/trigger"


@pytest.fixture(name="port")
def _port(colony: Parts) -> Iterator[int]:
    """Give the port of a served API."""
    server = Server(build(colony.services()), "127.0.0.1", 0)
    server.start()
    yield server.port
    server.stop()


def _send(port: int, head: str, chunks: Iterator[bytes]) -> tuple[bytes, dict[str, Any]]:
    """Return the status line and the body of the answer to a client that sends on whatever it is told meanwhile."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n".encode())
        for chunk in chunks:
            connection.sendall(chunk)
        answer = b""
        while more := connection.recv(65_536):
            answer += more
    headers, _, body = answer.partition(b"\r\n\r\n")
    return headers.partition(b"\r\n")[0], json.loads(body)


def test_who_sends_on_hears_the_answer(port: int) -> None:
    """A client that sends its 16 MiB to the end before it listens still gets the whole answer."""
    chunks = (b" " * MAX_BODY for _ in range(16))

    status, body = _send(port, f"Content-Type: application/json\r\nContent-Length: {16 * MAX_BODY}", chunks)

    assert status == b"HTTP/1.1 413 Request Entity Too Large"
    assert body["field"] == "body"


def test_chunked_bodies_as_well(port: int) -> None:
    """The same holds where nothing says beforehand how long the body is."""
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    chunks = (chunk if number < 200 else b"0\r\n\r\n" for number in range(201))

    status, body = _send(port, "Content-Type: application/json\r\nTransfer-Encoding: chunked", chunks)

    assert (status.split()[1], body["status"]) == (b"413", 413)


def test_a_length_that_is_too_large_is_refused_before_the_body(port: int) -> None:
    """Who says that 5 GB will come is answered although nothing comes; a client that waits for leave sends none."""
    head = "Content-Type: application/json\r\nContent-Length: 5000000000\r\nExpect: 100-continue"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n".encode())
        answer = connection.recv(65_536)
        connection.shutdown(socket.SHUT_WR)
        while more := connection.recv(65_536):
            answer += more

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 413


def test_curl_shows_the_answer(port: int, tmp_path: Path) -> None:
    """What a person types: curl prints the problem for a body that is too large."""
    big = tmp_path / "big"
    big.write_bytes(b" " * (8 * MAX_BODY))
    command = ["curl", "-sS", "-H", "Content-Type: application/json", "--data-binary", f"@{big}"]

    done = subprocess.run([*command, f"http://127.0.0.1:{port}{PATH}"], capture_output=True, text=True, check=False)

    assert json.loads(done.stdout)["status"] == 413


def test_a_body_that_never_comes(colony: Parts) -> None:
    """Who announces a body and sends none is answered 408 after a while, and nothing reaches a handler."""
    reached: list[object] = []
    sent: list[dict[str, Any]] = []

    async def app(*_: object) -> None:
        reached.append(colony)

    async def call() -> None:
        waited = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if len(sent) >= 2:
                return {"type": "http.disconnect"}
            await waited.wait()
            raise AssertionError

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": PATH, "headers": [(b"content-length", b"10")]}
        await LimitBody(app, read_s=0.05)(scope, receive, send)

    asyncio.run(call())

    assert reached == []
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["field"] == "body"
    assert not sent[-1]["more_body"]

"""A proxy before a real server that does to each request what a script says: pass it on, cut it off, answer itself."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Where it listens, what is still to be done to requests (then they pass), and the requests that came."""

    port: int
    script: list[str]
    seen: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where a client calls it."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def proxy(server: int, script: Sequence[str]) -> Iterator[Proxy]:
    """Give a proxy before the server at that port.

    A line of the script is `pass`, `cut` (hang up, having read the request), `lose` (hang up when the server has
    answered), `stall` (never answer), or the answer's head.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = Proxy(listening.getsockname()[1], list(script))
        ended = threading.Event()
        thread = threading.Thread(target=_serve, args=(listening, server, made, ended))
        thread.start()
        yield made
        ended.set()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", made.port)).close()
        thread.join(5)


def _serve(listening: socket.socket, server: int, made: Proxy, ended: threading.Event) -> None:
    while True:
        client, _ = listening.accept()
        if ended.is_set():
            client.close()
            return
        with client:
            request = _read(client)
            made.seen.append(request)
            act = made.script.pop(0) if made.script else "pass"
            if act == "stall":
                # Until the client has had enough.
                client.recv(1)
            elif act not in {"pass", "lose", "cut"}:
                client.sendall(f"{act}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            elif act != "cut":
                answer = _ask(server, request)
                if act == "pass":
                    client.sendall(answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))


def _read(connection: socket.socket) -> bytes:
    """Return a whole message: head, and as much of a body as it tells."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65_536)
    head, _, body = received.partition(b"\r\n\r\n")
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    length = next((int(value) for name, _, value in lines if name == b"content-length"), 0)
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def _ask(server: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server)) as connection:
        connection.sendall(request)
        return _read(connection)

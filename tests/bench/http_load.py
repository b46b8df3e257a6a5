"""A process of its own that sends one request over and over on kept connections, and prints requests per second.

`python -m tests.bench.http_load PORT REQUESTS CONNECTIONS` takes the request's bytes on standard input. No client
library: each costs more than the servers that are measured.
"""

import asyncio
import sys
import time

_END = b"\r\n\r\n"


class _Sender(asyncio.Protocol):
    """Sends the next request when the answer to the last one is there."""

    def __init__(self, request: bytes, count: int, done: asyncio.Future[None]) -> None:
        self._request = request
        self._left = count
        self._done = done
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Send the next one after a whole answer."""
        self._received += data
        head, found, body = self._received.partition(_END)
        if not found or len(body) < _length(head):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._fail(RuntimeError(self._received.decode(errors="replace")))
            return
        self._received = b""
        self._left -= 1
        if self._left:
            self._transport.write(self._request)
        else:
            self._done.set_result(None)
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        """Tell if that came too early."""
        self._fail(RuntimeError("the server hung up"))

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)
            self._transport.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    raise RuntimeError("an answer without a length")


async def load(port: int, request: bytes, requests: int, connections: int) -> float:
    """Return requests per second."""
    loop = asyncio.get_running_loop()
    each = requests // connections
    start = time.perf_counter()
    ends = [loop.create_future() for _ in range(connections)]
    for end in ends:
        await loop.create_connection(lambda end=end: _Sender(request, each, end), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ends)
    return each * connections / (time.perf_counter() - start)


if __name__ == "__main__":
    port_, requests_, connections_ = map(int, sys.argv[1:])
    print(asyncio.run(load(port_, sys.stdin.buffer.read(), requests_, connections_)))

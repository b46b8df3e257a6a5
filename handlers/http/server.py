"""Serve the API with uvicorn in a thread of its own; never beyond loopback without authentication."""

import socket
import threading
import time
from functools import partial

import uvicorn
from fastapi import FastAPI

from handlers.http.access import Access, is_loopback
from handlers.http.local_only import LocalOnly
from worker.errors import Rejected, TryLater

#: For requests in hand, and for event streams, which have no end of their own, in seconds.
_GRACE_S = 2


class Server:
    """One listening server."""

    def __init__(self, api: FastAPI, host: str, port: int) -> None:
        """Prepare to listen. Raises Rejected for an address that others can reach, if the API asks for no token."""
        access: Access = api.state.access
        if not access.guarded and not is_loopback(host):
            raise Rejected(
                f"{host} can be reached from other machines, and callers show no token",
                field="COLONY_HOST",
                mend="set COLONY_AUTH=required, or listen on 127.0.0.1",
            )
        self._address = (host, port)
        self._server = uvicorn.Server(
            uvicorn.Config(
                api if access.guarded else LocalOnly(api, access.origins),
                log_level="warning",
                access_log=False,
                lifespan="off",
                server_header=False,
                proxy_headers=bool(access.proxies),
                forwarded_allow_ips=access.proxies,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )

    def start(self) -> None:
        """Listen. Raises TryLater if the port cannot be had."""
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        try:
            listening = socket.create_server(self._address, family=family)
            # asyncio does this only for sockets that name their protocol; without it small answers wait for 40 ms.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise TryLater(f"cannot listen on {self._address[0]}:{self._address[1]}: {error}") from error
        # Signals belong to the command that runs this.
        run = partial(self._server.run, sockets=[listening])
        self._thread = threading.Thread(target=run, name="colony-http", daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise TryLater("the HTTP server could not start; the log says why")
            time.sleep(0.01)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Finish the requests in hand, for up to 5 seconds."""
        self._server.should_exit = True
        self._thread.join(timeout=5)

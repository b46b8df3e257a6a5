"""The worker's side of the process that starts steps: spawn, signal, and hear of ends, without ever blocking on one."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.errors import TryLater

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from worker.adapters.engine.local_server import main; "
)
_BOOT += "main(int(sys.argv[2]), sys.argv[3:])"


@dataclass(frozen=True)
class Command:
    """One step to start.

    Attributes:
        module: run `argv[0]` as a module inside the forked process (else execute a program).
        environment: the step's whole environment.
        log: file that output is appended to; its directory exists.
        identity: file that the step writes who it is to, before anything else.
        memory_bytes: limit of its data, None for none.
    """

    argv: Sequence[str]
    module: bool
    environment: Mapping[str, str]
    log: Path
    identity: Path
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Started:
    """A step runs."""

    id: str
    pid: int


@dataclass(frozen=True)
class Exited:
    """A step has ended; `code` is negative for a signal, None if it is not known (`error` says why)."""

    id: str
    code: int | None
    error: str | None = None


class Spawner:
    """One server process, started at the first use and again after it died."""

    def __init__(self, preload: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> None:
        """Remember the modules that the server loads before its first fork, and what it is told for that."""
        self._preload = tuple(preload)
        self._environment = {**os.environ, **environment} if environment else None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._received = b""
        self._living: set[str] = set()

    @property
    def channel(self) -> socket.socket | None:
        """What becomes readable when there is something to `poll`."""
        return self._socket

    def warm(self) -> None:
        """Start the server if none runs. Raises TryLater if the machine refuses."""
        if self._process is not None:
            return
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _BOOT, json.dumps(sys.path), str(theirs.fileno()), *self._preload],
                    pass_fds=[theirs.fileno()],
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise TryLater(f"cannot start a process: {error}") from error
        self._socket = ours

    def spawn(self, id_: str, command: Command) -> None:
        """Start a step; `poll` tells how it goes. Raises TryLater."""
        self.warm()
        self._living.add(id_)
        self._send(
            {
                "op": "spawn",
                "id": id_,
                "argv": list(command.argv),
                "module": command.module,
                "environment": dict(command.environment),
                "log": str(command.log),
                "identity": str(command.identity),
                "memory_bytes": command.memory_bytes,
            }
        )

    def signal(self, id_: str, number: signal.Signals) -> None:
        """Send a signal to a step's process group, if it still runs."""
        if id_ in self._living:
            self._send({"op": "signal", "id": id_, "signal": int(number)})

    def poll(self) -> list[Started | Exited]:
        """Return what has happened since the last call; a server that died takes its steps with it."""
        if self._socket is None:
            return []
        try:
            data = self._socket.recv(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            return self._lost()
        *lines, self._received = (self._received + data).split(b"\n")
        return [self._event(json.loads(line)) for line in lines]

    def close(self) -> None:
        """End the server, and with it every step."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process, self._socket, self._received = None, None, b""
        self._living.clear()

    def _event(self, told: Mapping[str, Any]) -> Started | Exited:
        if told["op"] == "started":
            return Started(told["id"], told["pid"])
        self._living.discard(told["id"])
        return Exited(told["id"], told["code"], told.get("error"))

    def _lost(self) -> list[Started | Exited]:
        living = sorted(self._living)
        self.close()
        return [Exited(id_, None, "the process that starts steps died") for id_ in living]

    def _send(self, request: Mapping[str, Any]) -> None:
        if self._socket is None:
            return
        with suppress(OSError):  # a dead server is told by poll
            self._socket.sendall(json.dumps(request).encode() + b"\n")

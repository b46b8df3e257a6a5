"""The process that starts steps: it has heavy libraries loaded, forks for each step, and ends them with its worker.

One socket leads to the worker. Requests are JSON lines `{op: spawn | signal, id, …}`; answers are `{op: started |
exited, id, pid | code}`. When the socket closes, the worker is gone, however it died: every step is killed, and this
process ends. What a step leaves behind, a daemon in a session of its own too, becomes a child of this process, and is
killed before the step's end is told; a guard above does the same for this process, should it be killed itself.
"""

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from worker.adapters.engine.local_child import HELD, run_step
from worker.adapters.engine.local_process import adopt_orphans, die_with_parent, end_children

#: In this time a machine does not begin so many processes that their numbers come round.
_LONG_S = 5.0


def main(fd: int, preload: Sequence[str]) -> None:
    """Serve the worker at the other end of the socket `fd`, after loading the modules named in `preload`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    adopt_orphans()
    guard = os.getpid()
    server = os.fork()
    if server:
        os.close(fd)
        _guard(server)
    die_with_parent(signal.SIGTERM, guard)
    adopt_orphans()
    for module in preload:
        try:
            importlib.import_module(module)
        except ImportError:
            traceback.print_exc()  # the steps will say so themselves, each in its own log
    gc.collect()
    gc.freeze()
    _Server(socket.socket(fileno=fd)).serve()


def _guard(server: int) -> NoReturn:
    """Wait for the server's end, however it comes, and leave nothing of its steps behind."""

    def pass_on(number: int, _frame: Any) -> None:
        with suppress(ProcessLookupError):
            os.kill(server, number)

    signal.signal(signal.SIGTERM, pass_on)
    die_with_parent(signal.SIGTERM)
    os.waitpid(server, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_children()
    os._exit(0)


class _Server:
    """The loop: requests from the worker, ends of children."""

    def __init__(self, worker: socket.socket) -> None:
        self.worker = worker
        self.worker.settimeout(0)
        self.pids: dict[str, int] = {}
        self.begun: dict[str, float] = {}
        self.received = b""
        self.alive = self.clean = True
        self.wake, self.woken = os.pipe()
        for end in (self.wake, self.woken):
            os.set_blocking(end, False)

    def serve(self) -> None:
        """Work until the worker is gone."""
        signal.set_wakeup_fd(self.woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self.stop)
        with selectors.DefaultSelector() as selector:
            selector.register(self.worker, selectors.EVENT_READ)
            selector.register(self.wake, selectors.EVENT_READ)
            while self.alive:
                for key, _ in selector.select():
                    if key.fileobj is self.worker:
                        self.receive()
                    else:
                        with suppress(BlockingIOError):
                            os.read(self.wake, 4096)
                self.reap()
        self.end_all()

    def stop(self, *_: Any) -> None:
        """End at the next turn."""
        self.alive = False

    def receive(self) -> None:
        """Read what there is, and do each complete request."""
        try:
            data = self.worker.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.alive = False
            return
        self.received += data
        *lines, self.received = self.received.split(b"\n")
        for line in lines:
            request = json.loads(line)
            if request["op"] == "spawn":
                self.spawn(request)
            elif request["id"] in self.pids:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pids[request["id"]], request["signal"])

    def spawn(self, request: Mapping[str, Any]) -> None:
        """Fork a step."""
        server = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
        try:
            pid = os.fork()
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
            self.tell({"op": "exited", "id": request["id"], "code": None, "error": f"cannot start a process: {error}"})
            return
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for end in (self.wake, self.woken):
                os.close(end)
            self.worker.close()
            run_step(request, server)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
        with suppress(PermissionError, ProcessLookupError):
            os.setpgid(pid, pid)
        self.pids[request["id"]], self.begun[request["id"]] = pid, time.monotonic()
        self.tell({"op": "started", "id": request["id"], "pid": pid})

    def reap(self) -> None:
        """Tell of each step that has ended, after ending what it left behind."""
        ended = {}
        since: int | None = None
        for name, pid in list(self.pids.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                _, ended[name] = self.collect(pid)
                del self.pids[name]
                # They stand in the order of their beginning.
                since = since or pid
                long = time.monotonic() - self.begun.pop(name) > _LONG_S
                self.clean = self.clean and not long
        if ended or not self.clean:
            self.clean = end_children(self.pids.values(), since if self.clean else None)
        for name, status in ended.items():
            self.tell({"op": "exited", "id": name, "code": os.waitstatus_to_exitcode(status)})

    def collect(self, pid: int) -> tuple[int, int]:
        """Kill a step's group while its leader still holds the number, then collect the leader."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        return os.waitpid(pid, 0)

    def tell(self, answer: Mapping[str, Any]) -> None:
        """Send one answer; a worker that is gone is noticed at the next read."""
        try:
            self.worker.settimeout(None)
            self.worker.sendall(json.dumps(answer).encode() + b"\n")
            self.worker.settimeout(0)
        except OSError:
            self.alive = False

    def end_all(self) -> None:
        """Kill every step."""
        for pid in self.pids.values():
            self.collect(pid)
        end_children()

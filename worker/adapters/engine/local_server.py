"""The process that starts steps: it has heavy libraries loaded, forks for each step, and ends them with its worker.

One socket leads to the worker. Requests are JSON lines `{op: spawn | signal, id, …}`; answers are `{op: started |
exited, id, pid | code}`. When the socket closes, the worker is gone, however it died: every step is killed, and this
process ends.
"""

import errno
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from worker.adapters.engine.local_process import die_with_parent, identity

#: Held back while a step is made: one that is told to end in its first moment must not answer as the server would.
_HELD = (signal.SIGTERM, signal.SIGINT)


def main(fd: int, preload: Sequence[str]) -> None:
    """Serve the worker at the other end of the socket `fd`, after loading the modules named in `preload`."""
    die_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in preload:
        try:
            importlib.import_module(module)
        except ImportError:
            traceback.print_exc()  # the steps will say so themselves, each in its own log
    gc.collect()
    gc.freeze()
    _Server(socket.socket(fileno=fd)).serve()


class _Server:
    """The loop: requests from the worker, ends of children."""

    def __init__(self, worker: socket.socket) -> None:
        self.worker = worker
        self.worker.settimeout(0)
        self.pids: dict[str, int] = {}
        self.received = b""
        self.alive = True
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
        signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
        try:
            pid = os.fork()
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
            self.tell({"op": "exited", "id": request["id"], "code": None, "error": f"cannot start a process: {error}"})
            return
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for end in (self.wake, self.woken):
                os.close(end)
            self.worker.close()
            run_step(request, server)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
        with suppress(PermissionError, ProcessLookupError):
            os.setpgid(pid, pid)
        self.pids[request["id"]] = pid
        self.tell({"op": "started", "id": request["id"], "pid": pid})

    def reap(self) -> None:
        """Tell of each step that has ended, after ending what it left behind in its group."""
        for name, pid in list(self.pids.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _, status = self.collect(pid)
            del self.pids[name]
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


def run_step(request: Mapping[str, Any], parent: int) -> NoReturn:
    """Become the step, in the forked child: own session, own log, its environment; never return."""
    code = 1
    try:
        os.setpgid(0, 0)
        die_with_parent(signal.SIGKILL, parent)
        for number in (signal.SIGCHLD, *_HELD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
        _redirect(request["log"])
        with open(request["identity"], "w", encoding="utf-8") as file:  # noqa: PTH123 (pathlib costs a step more)
            file.write(identity(os.getpid()))
        _limit_memory(request["memory_bytes"])
        os.environ.clear()
        os.environ.update(request["environment"])
        code = _run_module(request["argv"]) if request["module"] else _execute(request["argv"])
    except BaseException:  # noqa: BLE001 (the last frame of the process: everything becomes its log and exit code)
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _redirect(log: str) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(null)
    os.close(out)


def _limit_memory(limit: int | None) -> None:
    if limit is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _run_module(argv: Sequence[str]) -> int:
    import runpy

    sys.argv = list(argv)
    return _ended(lambda: runpy.run_module(argv[0], run_name="__main__", alter_sys=True))


def _run_code(argv: Sequence[str]) -> int:
    """Do what the interpreter does with `-c`, in this process."""
    from types import ModuleType

    main_module = sys.modules["__main__"] = ModuleType("__main__")
    sys.argv = ["-c", *argv[1:]]
    code = compile(argv[0], "<string>", "exec")
    return _ended(lambda: exec(code, main_module.__dict__))  # noqa: S102 (the step's own program)


def _ended(work: Callable[[], object]) -> int:
    """Do the work, and return the exit code that it comes to."""
    try:
        work()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)  # noqa: T201 (what the interpreter does with such an exit)
        return 1
    return 0


def _execute(argv: Sequence[str]) -> int:
    try:
        os.execvp(argv[0], list(argv))  # noqa: S606 (commands come from specs, no shell takes part)
    except OSError as error:
        if error.errno == errno.E2BIG and argv[0] == sys.executable and argv[1] in ("-c", "-m"):
            # The kernel takes no argument beyond 128 KiB; values of megabytes reach a Python program all the same.
            return _run_code(argv[2:]) if argv[1] == "-c" else _run_module(argv[2:])
        print(f"cannot execute {argv[0]}: {error}", file=sys.stderr)  # noqa: T201 (this is the step's log)
    return 127

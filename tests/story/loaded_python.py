"""A Python that has loaded what steps need: many commands in one process would each load it anew for their steps.

`sys.executable` stands for it. Whoever starts the process that starts steps by it gets a fork of one that has loaded
the steps' libraries, with the same arguments, environment and socket; anything else is executed by Python itself.
"""

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from worker.adapters.engine.local_command import PRELOAD
from worker.adapters.engine.local_process import die_with_parent

#: Given the arguments of Python it is gone when whoever does the work is.
_PROGRAM = """#!{python} -IS
import json, os, socket, sys
if sys.argv[-1] != {preload!r}:
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as loaded:
    loaded.connect({address!r})
    told = json.dumps([sys.argv[3], sys.argv[5:], dict(os.environ)]).encode()
    socket.send_fds(loaded, [len(told).to_bytes(4, "big")], [int(sys.argv[4])])
    loaded.sendall(told)
    os.close(int(sys.argv[4]))
    loaded.recv(1)
"""


def stand_in(folder: Path) -> None:
    """Let `sys.executable` be the loaded Python; it ends with this process."""
    listener = socket.socket(socket.AF_UNIX)
    address = str(folder / "loaded")
    listener.bind(address)
    listener.listen()
    parent = os.getpid()
    if os.fork() == 0:
        die_with_parent(signal.SIGKILL, parent)
        # Nobody may wait for the end of what is written there as long as this lives.
        os.dup2(2, 1)
        _serve(listener)
    listener.close()
    program = folder / "python"
    program.write_text(_PROGRAM.format(python=sys.executable, preload=PRELOAD, address=address))
    program.chmod(0o700)
    sys.executable = str(program)


def _serve(listener: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, _collect)
    while True:
        asking, _ = listener.accept()
        # Only now: most processes start no step at all.
        from worker.adapters.engine.local_server import main
        from worker.steps import preload

        assert preload.PRELOADED
        size, (fd,), *_ = socket.recv_fds(asking, 4, 1)
        with asking.makefile("rb") as file:
            path, modules, environment = json.loads(file.read(int.from_bytes(size, "big")))
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            sys.path[:] = json.loads(path)
            os.environ.clear()
            os.environ.update(environment)
            main(fd, modules)
            os._exit(0)
        os.close(fd)
        asking.close()


def _collect(*_: object) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass

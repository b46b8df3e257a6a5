"""What a forked child of the server does: it becomes the step."""

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from worker.adapters.engine.local_process import adopt_orphans, die_with_parent, identity

#: Held back while a step is made: one that is told to end in its first moment must not answer as the server would.
HELD = (signal.SIGTERM, signal.SIGINT)


def run_step(request: Mapping[str, Any], parent: int) -> NoReturn:
    """Become the step, in the forked child: own session, own log, its environment; never return."""
    code = 1
    try:
        os.setpgid(0, 0)
        die_with_parent(signal.SIGKILL, parent)
        # As in a container, where a step is process 1: what is orphaned below it stays below it.
        adopt_orphans()
        for number in (signal.SIGCHLD, *HELD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
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
    # It was loaded ahead to have its imports; now it is the main module, of which there is one.
    sys.modules.pop(f"{argv[0]}.__main__", None)
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

"""Workers that kill themselves at a state change, and others that take their runs over; each case in its own process.

`python -m tests.worker.adapters.engine.killed_workers DIRECTORY` reads cases from standard input, a JSON list of
`{name, at, side, heirs}`, and writes a JSON list of what each came to. The first worker is killed at the write with the
number `at`, 0 for never, before or after it (`side`); or by the step's attempt that has the output file `at`, at its
begin or end. `heirs` is how many workers then start at the same time.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import sqlalchemy as sa

from tests.worker.adapters.engine.every_construct import every_construct
from tests.worker.adapters.engine.hooked_journal import HookedJournal, Side
from tests.worker.adapters.engine.waiting import until
from worker.adapters.engine.local import LocalEngine
from worker.adapters.engine.local_process import adopt_orphans, die_with_parent
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.journal import SqlJournal
from worker.adapters.ledger.tables import engine_jobs, metadata
from worker.runs.port import Submission

RUN = "run-1"
LEASE_S = 0.6
_AT_A_TIME = 5


def main(directory: str) -> None:
    """Do all cases, some at a time."""
    cases = json.load(sys.stdin)
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        done = list(pool.map(lambda case: _apart(Path(directory, case["name"]), case), cases))
    json.dump(done, sys.stdout)


def _apart(root: Path, case: Mapping[str, Any]) -> Mapping[str, Any]:
    """Do a case in a process of its own and return what it left."""
    root.mkdir()
    pid = _forked(lambda: _case(root, case))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    result = root / "result.json"
    told: dict[str, Any] = json.loads(result.read_text()) if result.exists() else {"status": f"exit code {status}"}
    return {**case, **told}


def _case(root: Path, case: Mapping[str, Any]) -> None:
    adopt_orphans()
    with _engine(root, "looks") as engine:
        recipe = every_construct(str(root / "trace"))
        engine.submit(Submission(RUN, recipe.document, {}, str(root / "run"), {"run": RUN}))
        first = _forked(lambda: _work(root, "first", case))
        if case["at"]:
            # How many writes there are differs by what happens to come together: the last ones may not come.
            until(lambda: os.waitpid(first, os.WNOHANG)[0] or engine.state(RUN).status.ended, timeout_s=60.0)
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(first, signal.SIGKILL)
                os.waitpid(first, 0)
        heirs = [_forked(lambda name=f"heir-{number}": _work(root, name)) for number in range(case["heirs"])]
        state = until(lambda: engine.state(RUN), lambda state: state.status.ended, timeout_s=60.0)
        for pid in heirs if case["at"] else [first]:
            os.kill(pid, signal.SIGTERM)
        _wait_for_the_end_of_all()
        steps = [[step.step_id, str(step.status), step.attempt, step.error] for step in state.steps]
        told = {"status": str(state.status), "error": state.error, "steps": steps, **_facts(root)}
    (root / "result.json").write_text(json.dumps(told).replace(str(root), "ROOT"))


def _facts(root: Path) -> dict[str, Any]:
    database = Database(f"sqlite:///{root}/ledger.db")
    outputs = {task.path: task.outputs for task in SqlJournal(database).tasks(RUN) if task.outputs}
    with database.begin(write=False) as connection:
        epoch = connection.execute(sa.select(engine_jobs.c.lease_epoch)).scalar_one()
    writes = root / "writes"
    return {
        "outputs": outputs,
        "trace": (root / "trace").read_text().split(),
        "epoch": epoch,
        "writes": len(writes.read_text()) if writes.exists() else 0,
    }


def _work(root: Path, owner: str, case: Mapping[str, Any] | None = None) -> None:
    """Execute what is in the journal until told to end, or until the time has come."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    if case and isinstance(case["at"], str):
        attempt = case["at"].replace("ROOT", str(root))
        (root / "trace.kill").write_text(f"{case['side']} {attempt} {os.getpid()}\n")
    with _engine(root, owner, case) as engine:
        engine.start()
        while not ended:
            time.sleep(0.01)


@contextmanager
def _engine(root: Path, owner: str, case: Mapping[str, Any] | None = None) -> "Iterator[LocalEngine]":
    def hook(_run_id: str, number: int, side: Side) -> None:
        assert case is not None
        if (number, side) == (case["at"], case["side"]):
            os.kill(os.getpid(), signal.SIGKILL)
        if side == "after" and not case["at"]:
            with (root / "writes").open("a") as file:
                file.write(".")

    database = Database(f"sqlite:///{root}/ledger.db")
    metadata.create_all(database.engine)
    journal = SqlJournal(database) if case is None else HookedJournal(database, hook)
    engine = LocalEngine(
        journal, lambda: datetime.now(tz=UTC), owner, max_steps=2, max_runs=2, environment={}, lease_s=LEASE_S
    )
    try:
        yield engine
    finally:
        engine.close(grace_s=0.2)
        database.close()


def _wait_for_the_end_of_all() -> None:
    """Wait until no process is left below this one: no worker, none that starts steps, no step; else fail."""

    def nobody() -> bool:
        try:
            return bool(os.waitpid(-1, os.WNOHANG)) and False
        except ChildProcessError:
            return True

    until(nobody)


def _forked(work: Callable[[], None]) -> int:
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        die_with_parent(signal.SIGKILL, parent)
        _ending(work)
    return pid


def _ending(work: Callable[[], None]) -> NoReturn:
    code = 1
    try:
        work()
        code = 0
    except BaseException as error:  # noqa: BLE001 (the process's last frame)
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.worker.adapters.engine.daemons import daemon
from tests.worker.adapters.engine.waiting import until
from tests.worker.engine.recipe import Recipe, output
from worker.adapters.engine.local import LocalEngine
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.journal import SqlJournal
from worker.adapters.ledger.tables import engine_jobs, metadata
from worker.engine.state import Status
from worker.runs.port import EngineState, Submission

Start = Callable[[str], "subprocess.Popen[bytes]"]
_REPOSITORY = Path(__file__).parents[4]


@pytest.fixture(name="url")
def _url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/ledger.db"
    database = Database(url)
    metadata.create_all(database.engine)
    database.close()
    return url


@pytest.fixture(name="engine")
def _engine(url: str) -> Iterator[LocalEngine]:
    """Give an engine that submits and looks, but executes nothing itself unless started."""
    database = Database(url)
    engine = LocalEngine(
        SqlJournal(database), lambda: datetime.now(tz=UTC), "test", max_steps=2, max_runs=2, environment={}
    )
    try:
        yield engine
    finally:
        engine.close(grace_s=0.2)
        database.close()


@pytest.fixture(name="start")
def _start(url: str) -> Iterator[Start]:
    """Give a function that starts a real worker process on the same ledger."""
    processes = []

    def start(owner: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.worker.adapters.engine.worker_process", url, owner, "1.0"]
        process = subprocess.Popen(command, cwd=_REPOSITORY, stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    try:
        yield start
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.communicate()


def two_steps(root: Path) -> Recipe:
    """Return a pipeline whose second step writes who it is and waits, until `go` exists."""
    trace = f"open(r'{root}/trace', 'a').write('%s ')\n"
    recipe = Recipe().step("first", trace % "first" + "give('x', 'one')", gives={"x": "STRING"})
    code = trace % "second" + f"open(r'{root}/pids', 'a').write(str(os.getpid()) + '\\n')\n"
    code += f"while not Path(r'{root}/go').exists(): time.sleep(0.01)\nprint(value('x'))"
    return recipe.step("second", code, takes={"x": "STRING"}, wired={"x": output("first.x")})


def submit(engine: LocalEngine, root: Path) -> None:
    """Submit the pipeline."""
    engine.submit(Submission("run-1", two_steps(root).document, {}, str(root / "run-1"), {"run": "run-1"}))


def pids(root: Path, count: int) -> list[int]:
    """Wait until the second step has begun so many times and return its processes."""

    def look() -> list[int]:
        return [int(line) for line in (root / "pids").read_text().split()] if (root / "pids").exists() else []

    return until(look, lambda found: len(found) >= count)


def ended(engine: LocalEngine) -> EngineState:
    """Wait for the end of the run."""
    return until(lambda: engine.state("run-1"), lambda state: state.status.ended)


def test_killed_worker(engine: LocalEngine, start: Start, tmp_path: Path, alive: Callable[[int], bool]) -> None:
    """After kill -9 of a worker its step ends, and the next worker re-runs that step alone."""
    worker = start("first")
    submit(engine, tmp_path)
    [pid] = pids(tmp_path, 1)

    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: not alive(pid))
    start("second")
    [_, again] = pids(tmp_path, 2)
    (tmp_path / "go").touch()

    state = ended(engine)
    assert (state.status, [step.attempt for step in state.steps]) == (Status.SUCCEEDED, [1, 1])
    assert (tmp_path / "trace").read_text() == "first second second "
    assert state.steps[1].log_tail == "one\n"
    until(lambda: not alive(again))
    cut = tmp_path / "run-1/steps/second/1.cut-1"
    assert cut.is_dir()


def test_paused_worker(
    url: str, engine: LocalEngine, start: Start, tmp_path: Path, alive: Callable[[int], bool]
) -> None:
    """A worker that was asleep past its lease has lost its run: its step is ended, and waking up it does no harm."""
    worker = start("first")
    submit(engine, tmp_path)
    [pid] = pids(tmp_path, 1)

    pause(url, worker.pid)
    start("second")
    [_, again] = pids(tmp_path, 2)
    until(lambda: not alive(pid))
    os.kill(worker.pid, signal.SIGCONT)
    (tmp_path / "go").touch()

    state = ended(engine)
    assert (state.status, (tmp_path / "trace").read_text()) == (Status.SUCCEEDED, "first second second ")
    until(lambda: not alive(again))


def pause(url: str, pid: int) -> None:
    """Put a worker to sleep between two of its writes: asleep in one it would keep SQLite's only lock."""
    database = Database(url)
    with database.begin():
        os.kill(pid, signal.SIGSTOP)
    database.close()


def test_two_workers_resume(
    url: str, engine: LocalEngine, start: Start, tmp_path: Path, alive: Callable[[int], bool]
) -> None:
    """Of two workers that wait for a dead one's run exactly one takes it, holds it, and runs the cut step once."""
    worker = start("first")
    submit(engine, tmp_path)
    pids(tmp_path, 1)
    heirs = [start("second"), start("third")]
    os.kill(worker.pid, signal.SIGKILL)

    leases = set()
    until(lambda: leases.add(lease(url)) or len({until_us for epoch, until_us in leases if epoch == 2}) >= 4)
    [_, again] = pids(tmp_path, 2)
    (tmp_path / "go").touch()

    state = ended(engine)
    assert (state.status, (tmp_path / "trace").read_text()) == (Status.SUCCEEDED, "first second second ")
    assert {epoch for epoch, _ in leases} == {1, 2}
    assert [heir.poll() for heir in heirs] == [None, None]
    until(lambda: not alive(again))


def lease(url: str) -> tuple[int, int]:
    """Return how often the run has been taken, and until when it is somebody's."""
    database = Database(url)
    with database.begin(write=False) as connection:
        row = connection.execute(sa.select(engine_jobs.c.lease_epoch, engine_jobs.c.lease_until)).one()
    database.close()
    return row.lease_epoch, row.lease_until


def test_a_daemon_of_a_killed_worker(
    engine: LocalEngine, start: Start, tmp_path: Path, alive: Callable[[int], bool]
) -> None:
    """A process that a step has sent away into a session of its own ends with the step's worker."""
    worker = start("first")
    recipe = Recipe().step("a", daemon(tmp_path / "pid") + "time.sleep(600)")
    engine.submit(Submission("run-1", recipe.document, {}, str(tmp_path / "run-1"), {"run": "run-1"}))
    until((tmp_path / "pid").exists)

    os.kill(worker.pid, signal.SIGKILL)

    until(lambda: not alive(int((tmp_path / "pid").read_text())))


def test_cancelled_while_no_worker_lives(engine: LocalEngine, start: Start, tmp_path: Path) -> None:
    """A run that is cancelled while its worker is dead is cancelled by the next one, without going on."""
    worker = start("first")
    submit(engine, tmp_path)
    pids(tmp_path, 1)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()

    engine.cancel("run-1")
    start("second")

    state = ended(engine)
    assert [state.status, *(step.status for step in state.steps)] == [
        Status.CANCELLED,
        Status.SUCCEEDED,
        Status.CANCELLED,
    ]
    assert (tmp_path / "trace").read_text() == "first second "

import os
import signal
from collections.abc import Callable

import pytest

from tests.worker.adapters.engine.conftest import Bench
from tests.worker.adapters.engine.daemons import daemon
from tests.worker.adapters.engine.waiting import until
from tests.worker.engine.recipe import Recipe
from worker.engine.state import Status

Alive = Callable[[int], bool]


@pytest.mark.parametrize(("end", "status"), [("", Status.SUCCEEDED), ("sys.exit(1)", Status.FAILED)])
def test_a_daemon_ends_with_its_step(bench: Bench, alive: Alive, end: str, status: Status) -> None:
    """A process that a step has sent away into a session of its own is gone when the step's end is told."""
    daemons = [bench.root / name for name in "ab"]
    state = bench.run(Recipe().step("a", daemon(daemons[0]) + daemon(daemons[1]) + end))

    assert state.status is status
    assert [alive(int(file.read_text())) for file in daemons] == [False, False]


def test_a_daemon_of_a_step_that_goes_on(bench: Bench, alive: Alive) -> None:
    """While its step runs a daemon lives, also when other steps end and theirs are killed."""
    code = daemon(bench.root / "mine") + f"while not Path(r'{bench.root}/go').exists(): time.sleep(0.005)\n"
    bench.submit(Recipe().step("a", code + f"os.kill(int(Path(r'{bench.root}/mine').read_text()), 0)"))
    mine = int(bench.wait_for(bench.root / "mine"))
    bench.submit(Recipe().step("a", daemon(bench.root / "other")), "run-2")
    bench.ended("run-2")

    assert (alive(mine), alive(int((bench.root / "other").read_text()))) == (True, False)
    (bench.root / "go").touch()
    assert bench.ended().status is Status.SUCCEEDED
    assert not alive(mine)


def test_a_daemon_of_a_cancelled_step(bench: Bench, alive: Alive) -> None:
    """Cancelling a step ends what it has sent away, which hears no TERM and would ignore it."""
    bench.submit(Recipe().step("a", daemon(bench.root / "pid") + "time.sleep(600)"))
    pid = int(bench.wait_for(bench.root / "pid"))

    bench.engines[0].cancel("run-1")

    assert bench.ended().status is Status.CANCELLED
    assert not alive(pid)


def test_a_daemon_when_the_process_that_starts_steps_dies(bench: Bench, alive: Alive) -> None:
    """Even if the process that starts steps is killed, nothing of its steps is left when their end is told."""
    code = daemon(bench.root / "pid") + f"Path(r'{bench.root}/server').write_text(str(os.getppid())); time.sleep(600)"
    bench.submit(Recipe().step("a", code))
    server = until(lambda: int(bench.wait_for(bench.root / "server") or 0))
    pid = int(bench.wait_for(bench.root / "pid"))

    os.kill(server, signal.SIGKILL)

    assert (bench.ended().status, bench.steps()["a"].error) == (
        Status.FAILED,
        "the process that starts steps died",
    )
    assert not alive(pid)


def test_a_step_that_leaves_many(bench: Bench, alive: Alive) -> None:
    """A whole tree of processes that each left its parent ends with the step."""
    code = f"""
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        os.fork(); os.fork()
        open(r'{bench.root}/pids', 'a').write(f'{{os.getpid()}}\\n')
        time.sleep(600)
while not Path(r'{bench.root}/pids').exists() or len(Path(r'{bench.root}/pids').read_text().split()) < 20:
    time.sleep(0.005)
"""
    bench.run(Recipe().step("a", code))

    pids = [int(pid) for pid in (bench.root / "pids").read_text().split()]
    assert (len(pids), [pid for pid in pids if alive(pid)]) == (20, [])

import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.worker.adapters.engine.conftest import Bench
from tests.worker.adapters.engine.memory_journal import MemoryJournal
from tests.worker.adapters.engine.waiting import until
from tests.worker.engine.recipe import Recipe
from worker.adapters.engine.local_process import identity, kill_if_same
from worker.engine.port import Claim, TaskRecord
from worker.engine.state import Status
from worker.errors import TryLater

Alive = Callable[[int], bool]


def saying(file: Path, text: str = "os.getpid()") -> str:
    """Return code that writes something into a file, all at once."""
    return f"p = Path(r'{file}'); t = p.with_suffix('.part'); t.write_text(str({text})); t.rename(p)\n"


def test_cancel_reaches_the_whole_group(bench: Bench, alive: Alive) -> None:
    """Cancelling ends a step that ignores TERM, and the children it has forked."""
    code = "signal.signal(signal.SIGTERM, signal.SIG_IGN); child = os.fork()\n"
    code += "if child == 0: time.sleep(600)\n"
    code += saying(bench.root / "pids", "f'{os.getpid()} {child}'") + "time.sleep(600)"
    bench.submit(Recipe().step("a", code).step("b", after=["a"]))
    pids = [int(pid) for pid in bench.wait_for(bench.root / "pids").split()]

    bench.engines[0].cancel("run-1")

    state = bench.ended()
    assert (state.status, [step.status for step in state.steps]) == (Status.CANCELLED, [Status.CANCELLED] * 2)
    until(lambda: not any(map(alive, pids)))


def test_a_step_may_end_in_order_when_cancelled(bench: Bench) -> None:
    """TERM comes first, so that a step can tidy up; cancelling a run whose last step still succeeds finds it done."""
    code = f"signal.signal(signal.SIGTERM, lambda *_: (Path(r'{bench.root}/tidy').touch(), sys.exit(0)))\n"
    code += saying(bench.root / "pid") + "time.sleep(600)"
    bench.engine(cancel_grace_s=20.0)
    bench.submit(Recipe().step("a", code))
    bench.wait_for(bench.root / "pid")

    bench.engines[0].cancel("run-1")

    assert bench.ended().status is Status.SUCCEEDED
    assert (bench.root / "tidy").exists()


def test_cancel_before_anyone_claimed(bench: Bench) -> None:
    """A run that waits unclaimed is cancelled at once, and its steps say so."""
    bench.engine(max_runs=1)
    bench.submit(Recipe().step("a", "time.sleep(600)"), "run-1")
    until(lambda: bench.state("run-1"), lambda state: state.status is Status.RUNNING)
    bench.submit(Recipe().step("a"), "run-2")

    bench.engines[0].cancel("run-2")

    state = bench.state("run-2")
    assert (state.status, state.steps[0].status) == (Status.CANCELLED, Status.CANCELLED)


def test_cancel_while_a_step_waits_to_be_tried_again(bench: Bench) -> None:
    """A step that failed and waits for its next attempt is recorded as cancelled, as everything that had not ended."""
    bench.submit(Recipe().step("a", "sys.exit('no')", retry={"maxRetryCount": 1, "backoffDuration": "600s"}))
    until(lambda: bench.journal.records["run-1"].get("a"), lambda a: a is not None and a.attempt == 2)

    bench.engines[0].cancel("run-1")

    assert bench.ended().status is Status.CANCELLED
    assert bench.journal.records["run-1"]["a"].status is Status.CANCELLED


def test_nothing_is_left_of_a_step_that_ended(bench: Bench, alive: Alive) -> None:
    """Children that a step leaves behind in its group end with it."""
    code = "child = os.fork()\nif child == 0: os.close(1); os.close(2); time.sleep(600)\n"
    bench.run(Recipe().step("a", code + saying(bench.root / "pid", "child")))

    until(lambda: not alive(int((bench.root / "pid").read_text())))


def test_two_engines_execute_a_run_once(bench: Bench) -> None:
    """Of two engines on one journal one leads a run: each step is executed once."""
    bench.engine()
    bench.engine()
    code = f"open(r'{bench.root}/trace', 'a').write(sys.argv[0] + 'x')"
    recipe = Recipe().step("a", code).step("b", code, after=["a"])
    names = [bench.submit(recipe, f"run-{number}") for number in range(4)]

    assert {bench.ended(name).status for name in names} == {Status.SUCCEEDED}
    assert (bench.root / "trace").read_text().count("x") == 8


def test_lease_lost(bench: Bench, alive: Alive) -> None:
    """An engine whose run was taken over kills its steps and writes nothing more."""
    bench.engine(lease_s=2.4)
    bench.submit(Recipe().step("a", saying(bench.root / "pid") + "time.sleep(600)"))
    pid = int(bench.wait_for(bench.root / "pid"))
    until(lambda: bench.journal.records["run-1"]["a"].status is Status.RUNNING)
    before = list(bench.journal.history)

    bench.journal.take_over("run-1")

    until(lambda: not alive(pid))
    assert bench.journal.history == before
    assert bench.state().status is Status.RUNNING


def test_close_hands_over_at_once(bench: Bench, alive: Alive) -> None:
    """A closed engine has ended its steps and given its claim back: the next resumes without waiting for a lease."""
    first = bench.engine(lease_s=3600.0)
    code = f"n = len(list(Path(r'{bench.root}').glob('pid*')))\n" + saying(bench.root / "pid", "os.getpid()").replace(
        "pid')", "pid' + str(n))"
    )
    bench.submit(Recipe().step("done").step("a", code + "time.sleep(600 if n == 0 else 0)", after=["done"]))
    pid = int(bench.wait_for(bench.root / "pid0"))
    first.close(grace_s=0.2)

    assert not alive(pid)
    assert bench.steps()["a"].status is Status.PENDING
    bench.engine()
    assert bench.ended().status is Status.SUCCEEDED
    started = [path for _, path, status, _ in bench.journal.history if status is Status.RUNNING]
    assert list(dict.fromkeys(started)) == ["done", "a"]
    assert sum(1 for _, path, status, _ in bench.journal.history if (path, status) == ("done", Status.SUCCEEDED)) == 1
    assert bench.steps()["a"].attempt == 1


def test_start_again(bench: Bench) -> None:
    """An engine that was closed can be started again, and closing twice is no fault."""
    engine = bench.engine()
    engine.close()
    engine.close()
    bench.submit(Recipe().step("a"))
    engine.start()

    assert bench.ended().status is Status.SUCCEEDED


def test_the_process_that_starts_steps_dies(bench: Bench, alive: Alive) -> None:
    """If the process that starts steps is killed, its steps end; they count as failed, and a retry gets a new one."""
    code = f"first = not Path(r'{bench.root}/pids').exists()\n"
    code += saying(bench.root / "pids", "f'{os.getpid()} {os.getppid()}'") + "time.sleep(600 if first else 0)"
    bench.submit(Recipe().step("a", code, retry={"maxRetryCount": 1}))
    step, server = map(int, bench.wait_for(bench.root / "pids").split())

    os.kill(server, signal.SIGKILL)

    assert bench.ended().status is Status.SUCCEEDED
    assert (alive(step), bench.steps()["a"].attempt) == (False, 2)


class FlakyJournal(MemoryJournal):
    """A journal that is away every other call, and now and then for longer."""

    def __init__(self) -> None:
        """Begin with a first refusal."""
        super().__init__()
        self.count = 0
        self.guard = threading.Lock()

    def record(
        self, claim: Claim, tasks: Sequence[TaskRecord], status: Status | None = None, error: str | None = None
    ) -> None:
        """Store what is told, sometimes."""
        with self.guard:
            self.count += 1
            away = self.count % 2 == 1
        if away:
            raise TryLater("the database is locked")
        super().record(claim, tasks, status, error)


def test_a_journal_that_comes_and_goes(bench: Bench) -> None:
    """While the journal cannot be written the run waits, nothing is lost, and no step runs twice."""
    bench.journal = FlakyJournal()
    trace = f"open(r'{bench.root}/trace', 'a').write('x')"
    state = bench.run(Recipe().step("a", trace).step("b", trace, after=["a"]))

    assert (state.status, (bench.root / "trace").read_text()) == (Status.SUCCEEDED, "xx")


def test_a_recycled_pid_is_not_hit() -> None:
    """A recorded process is killed only if the very same one still lives: number, start and boot agree."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    os.setpgid(pid, pid)
    try:
        same = identity(pid)
        earlier: Any = same.replace('"start": ', '"start": 1')

        assert [kill_if_same(text) for text in (earlier, "{}", "broken", '{"pid": 1}')] == [False] * 4
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        assert kill_if_same(same)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise


@pytest.mark.parametrize("run_id", ["run-1"])
def test_a_job_that_cannot_be_read_fails(bench: Bench, run_id: str) -> None:
    """A job in the journal that this version does not understand fails with its reason, and blocks nothing."""
    bench.submit(Recipe().step("a"), "run-0")
    bench.ended("run-0")
    bad = bench.journal.jobs["run-0"]
    bench.journal.create(type(bad)(run_id, {"unknown": 1}, {}, str(bench.root), {}))

    state = bench.ended(run_id)
    assert (state.status, "does not know this field" in str(state.error)) == (Status.FAILED, True)

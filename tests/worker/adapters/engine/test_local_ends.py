import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.worker.adapters.engine.conftest import Bench
from tests.worker.engine.recipe import Recipe
from worker.engine.state import Status


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "killed by SIGTERM"),
        ("import ctypes; ctypes.string_at(0)", "killed by SIGSEGV"),
        ("os.abort()", "killed by SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGRTMIN + 1)", "killed by signal 35"),
        ("os._exit(255)", "exit code 255"),
        ("print('why'); raise SystemExit(3)", "exit code 3: why"),
    ],
)
def test_however_a_step_ends(bench: Bench, code: str, error: str) -> None:
    """A step that is killed, crashes in native code or exits by itself fails with how, and takes nothing with it."""
    state = bench.run(Recipe().step("a", code).step("b", "print('fine')"))

    assert (state.status, bench.steps()["a"].error) == (Status.FAILED, error)
    assert bench.steps()["b"].status is Status.SUCCEEDED


def limited(code: str) -> Recipe:
    """Return a pipeline of a step that may have 200 MB, beside one that has no limit."""
    recipe = Recipe().step("a", code).step("b", "print(len(b'x' * 300_000_000))")
    container = recipe.document["deploymentSpec"]["executors"]["exec-a"]["container"]
    container["resources"] = {"memoryLimit": 0.2, "resourceMemoryLimit": "200M"}
    return recipe


def test_out_of_memory(bench: Bench) -> None:
    """A step that wants more memory than its limit fails alone, and says so."""
    state = bench.run(limited("print('begin', flush=True); b'x' * 400_000_000"))

    assert (state.status, bench.steps()["a"].error) == (Status.FAILED, "exit code 1: MemoryError")
    assert bench.steps()["b"].status is Status.SUCCEEDED


def test_out_of_memory_below(bench: Bench) -> None:
    """The limit holds for each process that the step starts, by whatever program."""
    below = "import subprocess; sys.exit(subprocess.run([sys.executable, '-c', 'b\"x\" * 400_000_000']).returncode)"
    state = bench.run(limited(below))

    assert (state.status, bench.steps()["a"].error) == (Status.FAILED, "exit code 1: MemoryError")


def test_a_log_of_100_mb(bench: Bench) -> None:
    """A log of 100 MB is kept whole in its file and nowhere else: the state has its tail, the engine reads no more."""
    _forget_peak()
    before = _peak_mb()
    bench.run(Recipe().step("a", "for _ in range(1600): print('x' * 65535)\nprint('the end')"))

    state = bench.state()
    assert (bench.root / "runs/run-1/steps/a/1/log.txt").stat().st_size == 1600 * 65536 + 8
    assert (state.status, state.steps[0].log_tail[-9:]) == (Status.SUCCEEDED, "\nthe end\n")
    assert len(json.dumps(asdict(state), default=str)) < 8192
    assert _peak_mb() - before < 30


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    """Return the most memory that this process has had since."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from worker.adapters.engine.local_process import adopt_orphans, die_with_parent, end_children
from worker.steps.supervise import End, Family, Limits, supervised

#: Runs in a process of its own, for what it adopts and ends are all children of the process.
_PROGRAM = """
import sys
from pathlib import Path
from tests.worker.steps import test_supervise
print(*test_supervise.play(sys.argv[1], Path(sys.argv[2])))
"""
ROOT = Path(__file__).parents[3]


def play(kind: str, directory: Path) -> tuple[int, str]:
    """Supervise an attempt of a kind, and return how it ended."""
    attempts = directory / "attempts"

    def attempt() -> End:
        with attempts.open("a", encoding="utf-8") as file:
            file.write("x")
        return _attempt(kind, attempts, directory / "child")

    limits = {"slow": Limits(1.0, 2), "hangs in C": Limits(1.0)}.get(kind, Limits(attempts=3))
    end = supervised(attempt, limits, Family(adopt_orphans, end_children, die_with_parent))
    return end.code, end.reason


def _attempt(kind: str, attempts: Path, child: Path) -> End:
    if kind == "flaky":
        third = len(attempts.read_text(encoding="utf-8")) == 3
        return End(0) if third else End(1, "not yet")
    if kind == "rejected":
        return End(2, "never", again=False)
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGSEGV)
    if kind == "raises":
        raise ValueError("odd")
    if kind == "slow":
        # A child in a session of its own, whose parent ends at once.
        subprocess.run(["sh", "-c", 'setsid sh -c \'echo $$ > "$0"; exec sleep 3600\' "$0" &', str(child)], check=True)
        time.sleep(3600)
    if kind == "waits":
        time.sleep(3600)
    if kind == "hangs in C":
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        sum(range(10**13))
    return End(0)


@pytest.mark.parametrize(
    ("kind", "said", "attempts"),
    [
        ("flaky", "0 ", 3),
        ("rejected", "2 never", 1),
        ("killed", "1 its process was ended by signal 11", 3),
        ("raises", "1 its process ended with code 1", 3),
        ("slow", "1 the step took longer than 1s, its timeout", 2),
        ("hangs in C", "1 the step took longer than 1s, its timeout", 1),
    ],
)
def test_ends(tmp_path: Path, kind: str, said: str, attempts: int) -> None:
    """Whatever happens in an attempt is its end; one is tried again unless it says that this is of no use."""
    command = [sys.executable, "-c", _PROGRAM, kind, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)

    assert done.stdout.rstrip("\n") == said, done.stderr
    assert (tmp_path / "attempts").read_text(encoding="utf-8") == "x" * attempts
    if kind == "slow":
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "child").read_text(encoding="utf-8")), 0)


def test_the_supervisor_is_killed(tmp_path: Path) -> None:
    """When the process above is killed, the attempt does not live on."""
    command = [sys.executable, "-c", _PROGRAM, "waits", str(tmp_path)]
    above = subprocess.Popen(command, cwd=ROOT)
    deadline = time.monotonic() + 120
    while not (children := _children(above.pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    above.kill()
    above.wait()

    assert children
    while any(map(_lives, children)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(_lives, children))


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text(encoding="ascii").split()] if path.exists() else []


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"

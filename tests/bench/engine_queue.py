"""Two hundred queued runs of ten steps, four at a time: what the engine itself takes while the steps do their work."""

import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.local_engine import chain, engine_in, own_cpu_s
from tests.bench.measure import Figure

RUNS, STEPS, AT_A_TIME = 200, 10, 4
#: How long to look; two hundred runs of steps that take 0.2 s would take 100 s.
WINDOW_S = 8.0
WORK = ("sleep", "0.2")
NOTHING = ("true",)


def bench(directory: Path) -> list[Figure]:
    """Return the engine's own processor time (its process and those that start steps) and its memory."""
    busy, memory_mb = _engine(directory / "work", WORK)
    worst, _ = _engine(directory / "nothing", NOTHING)
    peer_is = f"subprocess.run in {AT_A_TIME} threads"
    queued = f"engine: {RUNS} runs of {STEPS} queued, {AT_A_TIME} at a time"
    return [
        Figure(f"{queued}, steps of 0.2 s: own CPU", busy[0], _plain(WORK)[0], "% core", peer_is),
        Figure("engine: the same, steps that do nothing: own CPU a step", worst[1], _plain(NOTHING)[1], "ms", peer_is),
        Figure(f"engine: memory of its process, {RUNS} runs queued", memory_mb[1], memory_mb[0], "MB", "before them"),
    ]


def _engine(directory: Path, command: Sequence[str]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return (per cent of a core, ms per step) and the memory in MB without and with all runs queued."""
    directory.mkdir()
    with engine_in(directory, max_steps=AT_A_TIME, max_runs=AT_A_TIME) as engine:
        spec = chain(STEPS, command)
        engine.run(spec)
        before = _resident_mb()
        names = [engine.submit(spec) for _ in range(RUNS)]

        def ended() -> int:
            return len(list(directory.glob("run-*/steps/*/1/log.txt")))

        spent = _spent(own_cpu_s, ended, lambda: engine.status(names[-1]).ended)
        return spent, (before, _resident_mb())


def _plain(command: Sequence[str]) -> tuple[float, float]:
    """Return the same of the least that can be done: a subprocess for each step, and nothing kept."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        done = [pool.submit(subprocess.run, command, check=True) for _ in range(RUNS * STEPS)]
        spent = _spent(time.process_time, lambda: sum(one.done() for one in done), done[-1].done)
        pool.shutdown(cancel_futures=True)
    return spent


def _spent(cpu_s: Callable[[], float], steps: Callable[[], int], over: Callable[[], bool]) -> tuple[float, float]:
    """Return per cent of a core and ms per step, over the window or until all is done."""
    begun, cpu, first = time.monotonic(), cpu_s(), steps()
    while time.monotonic() - begun < WINDOW_S and not over():
        time.sleep(0.5)
    passed, cpu, count = time.monotonic() - begun, cpu_s() - cpu, steps() - first
    return 100 * cpu / passed, 1e3 * cpu / count


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024

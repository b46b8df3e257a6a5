"""Steps that do nothing, with the journal on disk: from submit to the first step, and each step of a chain."""

import contextlib
import io
import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.bench.local_engine import OWN, Bench, chain, engine_in
from tests.bench.measure import Figure, median_s

STEPS = 10
PYTHON = ("python3", "-c", "pass")
#: A program's own first word: when it runs.
NOW = ("date", "+%s%N")


def bench(directory: Path) -> list[Figure]:
    """Return milliseconds, per step of a chain, or from submit to the first step's own time."""
    with engine_in(directory) as engine:
        engine.run(chain(1, OWN))
        first, plain = _first_step(engine)
        bare = median_s(lambda: subprocess.run([sys.executable, *PYTHON[1:]], check=True), repeats=STEPS)
        fresh = _per_step(engine, PYTHON)
        preloaded = _per_step(engine, OWN)
        own = [sys.executable, *OWN[1:]]
        whole = median_s(lambda: subprocess.run(own, check=True, capture_output=True), repeats=2)
        spec, peer = _kfp_chain(directory)
        ours_kfp = median_s(lambda: engine.run(spec, {"x": 0}), repeats=3)
        theirs = median_s(peer, repeats=3)
    return [
        Figure("engine: submit until the first step runs (a program)", first, plain, "ms", "a bare subprocess"),
        Figure(f"engine: a fresh Python that does nothing, {STEPS} in a chain", fresh, bare * 1e3, "ms",
               "a bare subprocess of Python"),
        Figure(f"engine: our own step (--help), preloaded, {STEPS} in a chain", preloaded, whole * 1e3, "ms",
               "a subprocess of the same"),
        Figure(f"engine: a kfp Python component, {STEPS} in a chain", ours_kfp * 1e3 / STEPS, theirs * 1e3 / STEPS,
               "ms", "kfp.local, SubprocessRunner, same pipeline"),
        Figure(f"engine: that whole run of {STEPS}, nothing to do", ours_kfp * 1e3, theirs * 1e3, "ms",
               "kfp.local, SubprocessRunner, same pipeline"),
    ]  # fmt: skip


def _per_step(engine: Bench, command: tuple[str, ...]) -> float:
    spec = chain(STEPS, command)
    return median_s(lambda: engine.run(spec), repeats=5) * 1e3 / STEPS


def _first_step(engine: Bench) -> tuple[float, float]:
    """Return the medians from the call of submit, or of a bare subprocess, to what the program itself says."""
    spec = chain(1, NOW)
    ours, plain = [], []
    for _ in range(21):
        begun = time.time_ns()
        [step] = engine.engine.state(engine.run(spec)).steps
        ours.append(int(step.log_tail) - begun)
        begun = time.time_ns()
        plain.append(int(subprocess.run(NOW, check=True, capture_output=True).stdout) - begun)
    return statistics.median(ours) / 1e6, statistics.median(plain) / 1e6


def _kfp_chain(directory: Path) -> tuple[Mapping[str, Any], Callable[[], object]]:
    """Return a chain of lightweight Python components, compiled, and a function that runs it with kfp.local."""
    from kfp import compiler, dsl, local

    @dsl.component(base_image="python:3.11", install_kfp_package=False)  # type: ignore[untyped-decorator, unused-ignore]
    def more(x: int) -> int:
        return x + 1

    @dsl.pipeline(name="chain")  # type: ignore[untyped-decorator, unused-ignore]
    def chained(x: int = 0) -> int:
        # kfp asks for caching unless told otherwise, and a result taken from before is no step run.
        task = more(x=x).set_caching_options(enable_caching=False)
        for _ in range(STEPS - 1):
            task = more(x=task.output).set_caching_options(enable_caching=False)
        value: int = task.output
        return value

    path = directory / "chain.json"
    compiler.Compiler().compile(chained, str(path))
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(directory / "kfp"))
    return json.loads(path.read_text(encoding="utf-8")), lambda: quietly(lambda: chained(x=0))


def quietly(work: Callable[[], object]) -> None:
    """Do the work without what kfp says of it."""
    logging.disable(logging.CRITICAL)
    with contextlib.redirect_stdout(io.StringIO()):
        work()
    logging.disable(logging.NOTSET)

"""The demo's auto-retrain on the demo's data: ours, its steps called in one warm process, and by kfp.local."""

import contextlib
import io
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.engine import quietly
from tests.bench.local_engine import engine_in
from tests.bench.measure import Figure, median_s
from worker.adapters.engine.local_files import AttemptFiles
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.journal import SqlJournal
from worker.adapters.ledger.sql import SqlLedger
from worker.engine import executor_input
from worker.engine.facts import Facts
from worker.engine.graph import build
from worker.engine.inputs import bind_root
from worker.engine.port import Job, TaskRecord
from worker.engine.progress import evaluate
from worker.engine.state import Status

DEMO = Path(__file__).parents[2] / "deploy" / "demo"
_AT = ("--event-time", "event_timestamp", "--known-at")
_CONTENT = ("--entity", "content", "--entity-id", "content_id")
#: What the demo types to have features and version 1.
COMMANDS = (
    ("features", "define"),
    ("features", "import", str(DEMO / "user_features.csv.gz"), "--entity", "user", "--entity-id", "user_id", *_AT,
     "created"),
    ("features", "import", str(DEMO / "content_features.csv.gz"), *_CONTENT, *_AT, "created"),
    ("features", "import", str(DEMO / "messages.csv.gz"), *_CONTENT, *_AT, "event_timestamp", "--columns",
     "label,user_id"),
    ("trigger", "auto-retrain", "--bee", "spam-guard", "--as-of", "2002-08-01", "--wait"),
)  # fmt: skip
#: One call of a step's entry point, and in which order the run makes them: type and executor input.
Call = tuple[list[str], str]


def bench(directory: Path) -> list[Figure]:
    """Return seconds for a whole run of six steps."""
    home = directory / "home"
    variables = {key: text for key, text in os.environ.items() if not key.startswith(("COLONY_", "GOOGLE_"))}
    variables["COLONY_HOME"] = str(home)
    for command in COMMANDS:
        subprocess.run([sys.executable, "-m", "worker", *command], env=variables, check=True, capture_output=True)
    [job] = _jobs(home)
    roots = (str(directory / f"retrain-{number}") for number in itertools.count())
    with _environment(variables), engine_in(directory, environment=variables) as engine:

        def ours() -> None:
            engine.run(job.spec, _elsewhere(job, str(directory / "unused")))

        calls = _in_one_process(job, next(roots))
        ours()
        mine = median_s(ours, repeats=3)
        warm = median_s(lambda: _in_one_process(job, next(roots)), repeats=3)
        spec, by_kfp = _by_kfp(directory, calls)
        same_spec = median_s(lambda: engine.run(spec, {"root": _fresh(calls, next(roots))}), repeats=1)
        theirs = median_s(lambda: by_kfp(_fresh(calls, next(roots))), repeats=1)
        plain = median_s(lambda: _by_subprocess(_moved(calls, _fresh(calls, next(roots)))), repeats=1)
    return [
        Figure("auto-retrain of the demo: the shipped spec", mine, theirs, "s",
               "kfp.local, its 6 steps as Python components that call the same main"),
        Figure("auto-retrain of the demo: those Python components", same_spec, theirs, "s", "kfp.local, same spec"),
        Figure("auto-retrain of the demo: the shipped spec", mine, plain, "s", "a subprocess of Python for each step"),
        Figure("auto-retrain of the demo: the shipped spec", mine, warm, "s", "the same calls in one warm process"),
    ]  # fmt: skip


def _jobs(home: Path) -> list[Job]:
    ledger = SqlLedger(Database(f"sqlite:///{home}/ledger.db"))
    journal = SqlJournal(ledger.database)
    with ledger.database.begin(write=False) as connection:
        names = [row[0] for row in connection.exec_driver_sql("SELECT run_id FROM engine_jobs")]
    jobs = [journal.job(name) for name in names]
    ledger.close()
    return [job for job in jobs if job is not None]


def _elsewhere(job: Job, output_dir: str) -> dict[str, Any]:
    """Return the run's parameters with another directory for its outcome."""
    return {**job.parameters, "run": {**job.parameters["run"], "outputDir": output_dir}}


def _in_one_process(job: Job, root: str) -> list[Call]:
    """Call the entry point of each step that is due, here, until the run is over, and return the calls."""
    from worker.steps.__main__ import main

    graph = build(job.spec)
    given, facts = bind_root(graph.spec, _elsewhere(job, root)), Facts(job.run_id, root)
    records: dict[str, TaskRecord] = {}
    calls: list[Call] = []
    while not (progress := evaluate(graph, given, records, facts)).status.ended:
        for launch in progress.launches:
            files = AttemptFiles.of(root, launch.path, 1)
            component = graph.component(launch.component)
            container = graph.executor(launch.component).container
            if container is None:
                raise RuntimeError(f"{launch.path} is no container")
            told = executor_input.build(component, launch.bound, files.uri)
            argv = executor_input.command_line(container, told, facts.of_task(launch.task, launch.path))
            files.prepare()
            calls.append((argv[3:], root))
            with contextlib.redirect_stdout(io.StringIO()):
                code = main(argv[3:])
            if code:
                raise RuntimeError(f"{launch.path} ended with {code}")
            outputs = files.outputs(component, told)
            records[launch.path] = TaskRecord(launch.path, Status.SUCCEEDED, outputs=outputs)
    return calls


def _fresh(calls: list[Call], root: str) -> str:
    """Make the directories that the calls will write to under another root, and return it."""
    for argv, old in calls:
        for text in argv:
            if text.startswith("{"):
                file = Path(json.loads(text)["outputs"]["outputFile"].replace(old, root))
                for part in ("parameters", "artifacts"):
                    (file.parent / part).mkdir(parents=True, exist_ok=True)
    return root


def _moved(calls: list[Call], root: str) -> list[list[str]]:
    return [[text.replace(old, root) for text in argv] for argv, old in calls]


def _by_subprocess(calls: list[list[str]]) -> None:
    for argv in calls:
        subprocess.run([sys.executable, "-m", "worker.steps", *argv], check=True, capture_output=True)


def _by_kfp(directory: Path, calls: list[Call]) -> tuple[Mapping[str, Any], Callable[[str], None]]:
    """Return a pipeline of Python components that make the calls under a root, compiled, and one that runs it.

    kfp.local's SubprocessRunner runs no container components, which the shipped spec's are.
    """
    from kfp import compiler, dsl, local

    @dsl.component(base_image="python:3.11", install_kfp_package=False)  # type: ignore[untyped-decorator, unused-ignore]
    def call(argv: list, old: str, root: str) -> int:  # type: ignore[type-arg]
        from worker.steps.__main__ import main

        code = main([text.replace(old, root) for text in argv])
        if code:
            raise SystemExit(code)
        return code

    @dsl.pipeline(name="calls")  # type: ignore[untyped-decorator, unused-ignore]
    def retrain(root: str) -> None:
        before = None
        for argv, old in calls:
            task = call(argv=argv, old=old, root=root).set_caching_options(enable_caching=False)
            before = task.after(before) if before else task

    path = directory / "retrain.json"
    compiler.Compiler().compile(retrain, str(path))
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(directory / "kfp"))
    return json.loads(path.read_text(encoding="utf-8")), lambda root: quietly(lambda: retrain(root=root))


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Let what is called in this process, and what kfp.local starts, find the data."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)

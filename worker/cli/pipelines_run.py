"""`colony pipelines run`: execute a compiled PipelineSpec, of whatever origin, on this machine."""

import json
import re
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from worker.cli.common import json_option, opened, print_json
from worker.cli.follow import step_line
from worker.cli.pipelines_spec import read_parameters, read_spec, without_accelerators, without_cache
from worker.cli.root import RUN_FAILED
from worker.engine.inputs import Bound
from worker.engine.spec import PipelineSpec, parse
from worker.engine.state import Status
from worker.errors import Rejected
from worker.runs.port import EngineState, Submission

_POLL_S = 0.05
#: Of how many failed steps the place of the log is told.
_LOGS = 3
#: How wide the column of the steps' paths may become.
_WIDTH = 60
#: How a condition names a value; people read the name.
_INPUT = re.compile(r"inputs\.parameter_values\['(?:pipelinechannel--)?([^']+)'\]")


@click.command("run")
@click.argument("spec", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE",
              help="A parameter (repeatable): texts as they are, all else as JSON; an artifact's URI; @FILE reads a "
                   "file, @@ is an @.")  # fmt: skip
@click.option("--root", type=click.Path(file_okay=False, path_type=Path),
              help="Where the run's directory goes (default: runs in COLONY_HOME).")  # fmt: skip
@click.option("--fail-fast", is_flag=True, help="Begin nothing more once a step has failed.")
@click.option("--no-cache", is_flag=True, help="Run every step, also where the pipeline asks for earlier results.")
@click.option("--without-accelerators", "no_accelerators", is_flag=True,
              help="Run steps that ask for GPUs or TPUs on this machine's processors.")  # fmt: skip
@click.option("--without-platform", "no_platform", is_flag=True,
              help="Leave out the second document, which says what Kubernetes is to do.")  # fmt: skip
@json_option
def run(  # noqa: PLR0913 (options, each by its name)
    spec: Path,
    parameters: tuple[str, ...],
    root: Path | None,
    *,
    fail_fast: bool,
    no_cache: bool,
    no_accelerators: bool,
    no_platform: bool,
    as_json: bool,
) -> int:
    """Run SPEC, a compiled pipeline (YAML or JSON), here: show its steps as they go, then what it gave.

    Ctrl-C cancels the run. Exits with 0 if it succeeded, 6 if it failed or was cancelled, 2 if it is refused.
    """
    document = read_spec(spec, without_platform=no_platform)
    parsed = parse(document)
    if no_accelerators:
        document = without_accelerators(document)
    if no_cache:
        document = without_cache(document)
    values = read_parameters(parsed, parameters)
    with opened(local=True) as app, _stops() as stopped:
        engine = app.engine
        if not engine.local:
            raise Rejected("pipelines run only here", field="COLONY_ENGINE", mend="set it to local")
        run_id = f"{_slug(parsed.pipeline_info.name)}-{secrets.token_hex(5)}"
        output_dir = (root or app.settings.home / "runs").absolute() / run_id
        labels = {"run": run_id, "installation": "cli", **({"failure-policy": "fast"} if fail_fast else {})}
        engine.submit(Submission(run_id, document, values, str(output_dir), labels))
        if not as_json:
            click.echo(f"{run_id}\n      {output_dir}")
        engine.start()
        state = _follow(engine, run_id, stopped, (lambda _: None) if as_json else click.echo)
        outputs = engine.outputs(run_id)
    given = {**outputs.parameters, **_uris(parsed, outputs)}
    if as_json:
        print_json([_summary(run_id, state, given, output_dir)])
    else:
        _tell_end(state, given, output_dir)
    return 0 if state.status is Status.SUCCEEDED else RUN_FAILED


@click.command("clear-cache")
@click.option("--root", type=click.Path(file_okay=False, path_type=Path),
              help="Where the runs' directories are (default: runs in COLONY_HOME).")  # fmt: skip
def clear_cache(root: Path | None) -> None:
    """Forget the results of earlier steps, so that the next run of a pipeline does all of them."""
    from config.settings import read_settings
    from worker.adapters.engine.local_cache import Cache

    runs = root or read_settings(local=True).home / "runs"
    count = Cache.beside(str(runs.absolute() / "any")).clear()
    click.echo(f"{count} result{'' if count == 1 else 's'} forgotten")


def _uris(spec: PipelineSpec, outputs: Bound) -> dict[str, Any]:
    declared = spec.root.output_definitions.artifacts
    found = {name: [one["uri"] for one in many] for name, many in outputs.artifacts.items()}
    return {name: uris if declared[name].is_artifact_list else uris[0] for name, uris in found.items()}


@contextmanager
def _stops() -> Iterator[Callable[[], bool]]:
    """Catch the signals to stop; what it gives tells whether one has come since it was last asked."""
    came: list[int] = []

    def stopped() -> bool:
        told = bool(came)
        came.clear()
        return told

    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _follow(engine: Any, run_id: str, stopped: Callable[[], bool], say: Callable[[str], object]) -> EngineState:
    """Tell each step's end as it comes, until the run has ended; a signal to stop cancels it."""
    told: set[tuple[str, Status, int]] = set()
    while True:
        if stopped():
            say("cancelling")
            engine.cancel(run_id)
        began = time.monotonic()
        state: EngineState = engine.state(run_id)
        _tell(state, told, say)
        if state.status.ended:
            return state
        # A run of thousands of steps takes a while to look at: the steps shall have most of the time.
        time.sleep(max(_POLL_S, 4 * (time.monotonic() - began)))


def _tell(state: EngineState, told: set[tuple[str, Status, int]], say: Callable[[str], object]) -> None:
    width = min(max((len(step.step_id) for step in state.steps), default=0), _WIDTH)
    for step in state.steps:
        mark = (step.step_id, step.status, step.attempt)
        begins = step.status is Status.RUNNING and sys.stdout.isatty()
        if mark not in told and (begins or (step.status.ended and (state.status.ended or step.started_at))):
            told.add(mark)
            taken = step.log_tail.startswith("taken from ") and step.status is Status.SUCCEEDED
            line = _INPUT.sub(r"\1", step_line(step, width))
            say(f"{line}  {step.log_tail.strip()}" if taken else line)


def _tell_end(state: EngineState, given: Mapping[str, Any], output_dir: Path) -> None:
    colour = "green" if state.status is Status.SUCCEEDED else "red"
    click.echo(f"      → {click.style(state.status.value.upper(), fg=colour, bold=True)}")
    if state.error:
        click.echo(f"        because: {state.error}")
    for step in [step for step in state.steps if step.status is Status.FAILED][:_LOGS]:
        log = output_dir / "steps" / step.step_id / str(step.attempt) / "log.txt"
        if log.exists():
            click.echo(f"        log: {log}")
    for name, value in given.items():
        click.echo(f"{name} = {json.dumps(value, ensure_ascii=False)}")


def _summary(run_id: str, state: EngineState, given: Mapping[str, Any], output_dir: Path) -> dict[str, Any]:
    steps = [
        {"stepId": one.step_id, "status": one.status.value, "attempt": one.attempt, "error": one.error}
        for one in state.steps
    ]
    return {
        "runId": run_id,
        "status": state.status.value,
        "error": state.error,
        "outputs": dict(given),
        "steps": steps,
        "directory": str(output_dir),
    }


def _slug(name: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return slug[:80] if slug[:1].isalpha() else f"run-{slug}"[:80]

"""`colony pipelines run`: execute a compiled PipelineSpec, of whatever origin, on this machine."""

import json
import re
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from worker.cli.common import json_option, opened, print_json
from worker.cli.follow import step_line
from worker.cli.root import RUN_FAILED
from worker.engine.inputs import Bound
from worker.engine.spec import PipelineSpec, parse
from worker.engine.state import Status
from worker.engine.values import from_text
from worker.errors import Rejected
from worker.runs.port import EngineState, Submission

_POLL_S = 0.05


@click.command("run")
@click.argument("spec", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE",
              help="A parameter of the pipeline (repeatable); all but texts as JSON.")  # fmt: skip
@click.option("--root", type=click.Path(file_okay=False, path_type=Path),
              help="Where the run's directory goes (default: runs in COLONY_HOME).")  # fmt: skip
@click.option("--fail-fast", is_flag=True, help="Begin nothing more once a step has failed.")
@json_option
def run(spec: Path, parameters: tuple[str, ...], root: Path | None, *, fail_fast: bool, as_json: bool) -> int:
    """Run SPEC, a compiled pipeline (YAML or JSON), here: show its steps as they go, then what it gave.

    Ctrl-C cancels the run. Exits with 0 if it succeeded, 6 if it failed or was cancelled, 2 if it is refused.
    """
    document = read_spec(spec)
    parsed = parse(document)
    values = read_parameters(parsed, parameters)
    with opened(local=True) as app:
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
        state = _follow(engine, run_id, (lambda _: None) if as_json else click.echo)
        outputs = engine.outputs(run_id)
    given = {**outputs.parameters, **_uris(parsed, outputs)}
    if as_json:
        print_json([_summary(run_id, state, given, output_dir)])
    else:
        _tell_end(state, given)
    return 0 if state.status is Status.SUCCEEDED else RUN_FAILED


def read_spec(path: Path) -> dict[str, Any]:
    """Return the one document of a file. Raises Rejected if there are more, or if it is no mapping."""
    import yaml

    try:
        documents = list(yaml.load_all(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise Rejected(f"cannot be read: {error}", field=str(path)) from error
    if len(documents) != 1:
        mend = "compile it without what only Kubernetes has (a platform spec)"
        raise Rejected(f"has {len(documents)} documents, not one", field=str(path), mend=mend)
    if not isinstance(documents[0], dict) or not all(isinstance(key, str) for key in documents[0]):
        raise Rejected("is no compiled pipeline", field=str(path))
    return documents[0]


def read_parameters(spec: PipelineSpec, words: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of `name=value` words, each as the pipeline declares it. Raises Rejected."""
    declared = spec.root.input_definitions.parameters
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or name in values:
            raise Rejected(f"{word!r} is not NAME=VALUE, or given twice", field="parameters")
        if name not in declared:
            mend = f"one of: {', '.join(declared)}" if declared else "it takes none"
            raise Rejected("the pipeline has no such parameter", field=f"parameters.{name}", mend=mend)
        values[name] = from_text(text, declared[name].parameter_type, f"parameters.{name}")
    return values


def _uris(spec: PipelineSpec, outputs: Bound) -> dict[str, Any]:
    declared = spec.root.output_definitions.artifacts
    found = {name: [one["uri"] for one in many] for name, many in outputs.artifacts.items()}
    return {name: uris if declared[name].is_artifact_list else uris[0] for name, uris in found.items()}


def _follow(engine: Any, run_id: str, say: Callable[[str], object]) -> EngineState:
    """Tell each step's end as it comes, until the run has ended; the first signal to stop cancels it."""
    told: set[tuple[str, Status, int]] = set()
    asked = False

    def cancel(*_: object) -> None:
        nonlocal asked
        asked = True

    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while True:
            if asked:
                say("cancelling")
                engine.cancel(run_id)
                asked = False
            state: EngineState = engine.state(run_id)
            _tell(state, told, say)
            if state.status.ended:
                return state
            time.sleep(_POLL_S)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(state: EngineState, told: set[tuple[str, Status, int]], say: Callable[[str], object]) -> None:
    for step in state.steps:
        mark = (step.step_id, step.status, step.attempt)
        begins = step.status is Status.RUNNING and sys.stdout.isatty()
        if mark not in told and (begins or (step.status.ended and (state.status.ended or step.started_at))):
            told.add(mark)
            taken = step.log_tail.startswith("taken from ") and step.status is Status.SUCCEEDED
            say(f"{step_line(step)}  {step.log_tail.strip()}" if taken else step_line(step))


def _tell_end(state: EngineState, given: Mapping[str, Any]) -> None:
    colour = "green" if state.status is Status.SUCCEEDED else "red"
    click.echo(f"      → {click.style(state.status.value.upper(), fg=colour, bold=True)}")
    if state.error:
        click.echo(f"        because: {state.error}")
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

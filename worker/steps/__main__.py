"""The entry point of a step process: `python -m worker.steps TYPE --executor-input JSON`.

Exit codes: 0 done (or the run was stopped with its reason), 2 rejected and not to be retried, 1 anything else.
"""

import argparse
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from config.schema import layers
from config.settings import read_settings
from worker.adapters.models.local import LocalArtifacts
from worker.adapters.models.skops_format import SkopsFormat
from worker.errors import ColonyError, TryLater
from worker.pipelines.types import StepTypes, load_type
from worker.steps.execute import execute
from worker.steps.executor import context_of, parse_input, write_output
from worker.steps.step import Ports, StepType
from worker.steps.types import STEPS

OK, FAILED, REJECTED = 0, 1, 2


def main(argv: list[str], build: Callable[[], Ports] | None = None) -> int:
    """Run one step and return the exit code.

    Args:
        argv: the arguments after the program's name.
        build: makes the ports; those of the environment unless given.
    """
    try:
        arguments = _parser().parse_args(argv)
        step = load_step(arguments.type)
        given = parse_input(_input_text(arguments))
        ports = (build or _ports)()
        try:
            context = context_of(step, given, ports)
            execute(step, context, name=arguments.step)
            write_output(step, given, context)
        finally:
            ports.features.close()
    except ColonyError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - the engine keeps it as the reason
        return FAILED if isinstance(error, TryLater) else REJECTED
    except Exception:  # noqa: BLE001 - the process boundary: whatever happened is this step's failure
        traceback.print_exc()
        return FAILED
    return OK


def load_step(name: str) -> StepType:
    """Return a step type by the word that templates use, the user's own included. Raises Rejected."""
    return load_type(name, STEPS if name in STEPS else StepTypes(layers(read_settings(local=True).config)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker.steps", description=__doc__)
    parser.add_argument("type", help=f"one of {', '.join(STEPS)}, or one of your own")
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--executor-input", help="KFP's executor input as JSON, or @FILE")
    given.add_argument("--executor-input-file", help="a file that holds it")
    parser.add_argument("--step", default="", help="the step's id in its template, under which its cost is kept")
    return parser


def _input_text(arguments: argparse.Namespace) -> str:
    text: str | None = arguments.executor_input
    if text is not None and not text.startswith("@"):
        return text
    path = Path(arguments.executor_input_file if text is None else text.removeprefix("@"))
    return path.read_text(encoding="utf-8")


def _ports() -> Ports:
    """Build the ports over the data directory that the environment names; it must be the same for all steps."""
    from worker.adapters.features.local import LocalFeatureStore

    home = read_settings(local=True).home
    features = LocalFeatureStore(home / "features", clock=lambda: datetime.now(UTC))
    return Ports(features=features, artifacts=LocalArtifacts(home / "models"), models=SkopsFormat())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The entry point of a step process: `python -m worker.steps TYPE --executor-input JSON`.

Exit codes: 0 done (or the run was stopped with its reason), 2 rejected and not to be retried, 1 anything else.
"""

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.schema import layers
from config.settings import read_settings
from worker.adapters import features as features_backends
from worker.adapters import models as models_backends
from worker.adapters.engine.local_process import adopt_orphans, die_with_parent, end_children
from worker.adapters.models.skops_format import SkopsFormat
from worker.adapters.options import Options
from worker.clock import wall_clock
from worker.errors import ColonyError, Rejected, TryLater
from worker.pipelines.types import StepTypes, load_type
from worker.steps.execute import conclude, execute
from worker.steps.executor import ExecutorInput, context_of, parse_input, write_output
from worker.steps.step import Ports, StepType
from worker.steps.supervise import End, Family, Limits, supervised
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
        run = _Run(arguments, load_step(arguments.type), parse_input(_input_text(arguments)), build or _ports)
        limits = Limits(arguments.timeout, arguments.attempts, arguments.backoff)
    except ColonyError as error:
        return _failed(error).code
    if not limits.needed:
        return run.attempt().code
    end = supervised(run.attempt, limits, Family(adopt_orphans, end_children, die_with_parent))
    return run.conclude(end.reason).code if end.code and run.step.failed else end.code


@dataclass(frozen=True)
class _Run:
    """One execution of a step."""

    arguments: argparse.Namespace
    step: StepType
    given: ExecutorInput
    build: Callable[[], Ports]

    def attempt(self) -> End:
        """Do the step's work and tell the engine of it."""
        return self._do(execute)

    def conclude(self, reason: str) -> End:
        """Write a failure as the step's result."""
        return self._do(lambda step, context, **names: conclude(step, context, reason, **names))

    def _do(self, work: Callable[..., Mapping[str, Any]]) -> End:
        try:
            ports = self.build()
            try:
                context = context_of(self.step, self.given, ports)
                values = work(self.step, context, name=self.arguments.step, task=self.arguments.task)
                write_output(self.step, self.given, context, values)
            finally:
                ports.features.close()
        except Exception as error:  # noqa: BLE001 - the process boundary: whatever happened is this step's failure
            return _failed(error)
        return End(OK)


def _failed(error: Exception) -> End:
    """Print why a step failed, and return it."""
    reason = f"{type(error).__name__}: {error}"
    if not isinstance(error, ColonyError):
        traceback.print_exception(error)
        return End(FAILED, reason)
    print(reason, file=sys.stderr)  # noqa: T201 - the engine keeps it as the reason
    rejected = not isinstance(error, TryLater)
    return End(REJECTED if rejected else FAILED, reason, again=not rejected)


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
    parser.add_argument("--task", default="", help="which of the runs of a `foreach` step this is")
    parser.add_argument("--timeout", type=float, help="seconds after which an attempt is ended, as failed")
    parser.add_argument("--attempts", type=int, default=1, help="how often it is tried (a loop's engine does not)")
    parser.add_argument("--backoff", type=float, default=0.0, help="seconds before the second attempt, then doubled")
    return parser


def _input_text(arguments: argparse.Namespace) -> str:
    text: str | None = arguments.executor_input
    if text is not None and not text.startswith("@"):
        return text
    path = Path(arguments.executor_input_file if text is None else text.removeprefix("@"))
    return path.read_text(encoding="utf-8")


def _ports() -> Ports:
    """Build the ports over the stores that the environment names; they must be the same for all steps."""
    settings = read_settings(step=True)
    values = settings.model_dump(exclude={"ledger", "chat_key"})
    options = Options(settings.home.absolute(), wall_clock, f"step-{os.getpid()}", values)
    features = _backend(features_backends.BACKENDS, settings.features).from_options(options)
    artifacts = _backend(models_backends.BACKENDS, settings.models).from_options(options)
    return Ports(features=features, artifacts=artifacts, models=SkopsFormat())


def _backend(table: Mapping[str, str], name: str) -> Any:
    if name not in table:
        raise Rejected(f"there is no backend {name!r}", field="environment", mend=f"one of {', '.join(sorted(table))}")
    return importlib.import_module(table[name])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

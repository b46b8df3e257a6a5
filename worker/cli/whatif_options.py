"""The options of `replay --dry-run`, and what goes with what."""

from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource

from worker.cli.common import Time

_FILE = click.Path(exists=True, dir_okay=False)
OPTIONS = [
    click.option("--dry-run", is_flag=True, help="What if: nothing is stored, launched or published."),
    click.option("--policy", type=_FILE, help="With --dry-run: this policy."),
    click.option("--against", type=_FILE, help="With --dry-run: compare --policy with this one."),
    click.option("--sweep", multiple=True, metavar="NAME=FROM:TO:STEP",
                 help="With --dry-run: compare values of a setting at once; several make a grid."),
    click.option("--assume", type=click.Choice(["refused", "failed", "deployed", "recovered"]), default="refused",
                 show_default=True, help="With --dry-run: how each run would have ended."),
    click.option("--assume-minutes", type=click.FloatRange(0, 525_600), default=0.0, show_default=True,
                 help="With --dry-run: how long a run takes, in event time."),
    click.option("--assume-cost", type=click.FloatRange(0), help="With --dry-run: what a run costs."),
    click.option("--trust-versions", is_flag=True,
                 help="With --dry-run: versions, baselines and unknown bees are the recording's own."),
    click.option("--from", "from_", type=Time(), help="With --dry-run, without FILE: the ledger's history from then."),
    click.option("--to", type=Time(), help="With --dry-run, without FILE: the ledger's history before then."),
    click.option("--plot", type=click.Path(file_okay=False), help="With --dry-run: draw each bee into this directory."),
    click.option("--report", multiple=True, type=click.Path(dir_okay=False, allow_dash=True),
                 help="With --dry-run: write all of it to a file, .html or .json (-: JSON on standard output)."),
    click.option("--each", is_flag=True, help="With --dry-run: print a line for each message, too."),
    click.option("--now", type=Time(), help="With --dry-run: the time beyond which all is future."),
]  # fmt: skip


_DRY = (
    "policy", "against", "sweep", "assume", "assume_minutes", "assume_cost", "trust_versions", "from_", "to", "plot",
    "report", "each", "now",
)  # fmt: skip


def what_if_options(function: Any) -> Any:
    """Add the options to a command."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def check(context: click.Context, options: Mapping[str, Any]) -> None:
    """Refuse what does not go together."""
    if not options["dry_run"]:
        for parameter in _DRY:
            if context.get_parameter_source(parameter) is ParameterSource.COMMANDLINE:
                name = parameter.strip("_").replace("_", "-")
                raise click.UsageError(f"--{name} goes with --dry-run: a replay that acts uses the configured policy")
    history = options["from_"] is not None or options["to"] is not None
    if options["file"] is None and not history:
        raise click.UsageError("FILE is missing; or ask for the ledger's own history: --dry-run --from TIME --to TIME")
    if options["file"] is not None and history:
        raise click.UsageError("--from and --to are for the ledger's own history: leave FILE out")

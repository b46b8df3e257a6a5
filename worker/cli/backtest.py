"""`colony backtest`: a bee's whole history lived again, managed, never retrained, and retrained by the calendar."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from worker.cli.common import Time, opened, print_json
from worker.cli.monitor import Span
from worker.errors import NotFound, Rejected

if TYPE_CHECKING:
    from worker.backtest.report import Report

POLICIES = ("managed", "never", "weekly")


class Policies(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """Some of the policies, with commas between them."""

    name = "policies"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return them in their own order."""
        words = value if isinstance(value, tuple) else tuple(word.strip() for word in str(value).split(","))
        unknown = [word for word in words if word not in POLICIES]
        if unknown:
            self.fail(f"{unknown[0]!r} is not known; choose from {', '.join(POLICIES)}", param, ctx)
        return tuple(name for name in POLICIES if name in words)


@dataclass(frozen=True)
class Options:
    """What was asked for; `begin` and `until` bound the event times."""

    bee: str
    begin: datetime | None
    until: datetime | None
    every: timedelta
    policies: tuple[str, ...]
    metric: str | None
    champion: str | None


@click.command("backtest")
@click.option("--bee", required=True, help="Whose history.")
@click.option("--from", "begin", type=Time(), help="Train the first champion then (default: one window after the "
              "first label).")  # fmt: skip
@click.option("--until", type=Time(), help="Live no longer than until then (default: the newest label).")
@click.option("--every", type=Span(), default="7d", show_default=True, help="A period: of scoring, of retraining by "
              "the calendar, and of judging where the bee's `monitor.every` does not say otherwise.")  # fmt: skip
@click.option("--policies", type=Policies(), default="managed,never,weekly", show_default=True,
              help="Which to live through.")  # fmt: skip
@click.option("--metric", help="What the curves show (default: the bee's metric).")
@click.option("--champion", help="Begin with this version of the bee, from the end of its training on, instead of "
              "training a first one.")  # fmt: skip
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Draw the curves into a file.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as one JSON object.")
def command(svg: Path | None, *, as_json: bool, **asked: Any) -> int:
    """Live through a bee's history in event time: monitor, decide, retrain, gate, roll out, verify or roll back.

    Beside the managed model stand one that is never retrained, and one that is retrained each period and put into
    production whatever its gate says. Every row is scored with the version that served it. Nothing of it touches the
    real ledger or store: each policy has a home of its own in backtest/BEE of the data directory, in which the
    ordinary commands show all that happened.
    """
    options = Options(**asked)
    with opened(level="error") as app:
        report = _report(app, options)
    if svg is not None:
        from worker.backtest.plot import plot

        svg.write_text(plot(report), encoding="utf-8")
    if as_json:
        print_json([report.to_json()])
    else:
        from worker.cli.backtest_tables import print_report

        print_report(report)
    return 0


def _report(app: Any, options: Options) -> "Report":
    from worker.cli.backtest_lives import live

    if options.bee not in app.bees:
        raise NotFound(f"there is no bee {options.bee!r}; there are: {', '.join(sorted(app.bees))}")
    bee = app.bees[options.bee]
    if bee.task == "generation":
        reason = f"{bee.bee} generates text: it has no rows whose labels come in"
        raise Rejected(reason, field="--bee", mend="choose a bee that is trained")
    return live(app, bee, options, lambda line: click.echo(line, err=True))

"""`colony monitor`: judge models in production on the labels that have come in."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TextIO

import click

from worker.bee import BeeSpec, parse_duration
from worker.cli.common import Time, json_option, opened, print_json
from worker.errors import NotFound, Rejected
from worker.publish.port import Outgoing

if TYPE_CHECKING:
    from worker.monitor.judge import Asked, Judgement

AWAITED = 3


class Span(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A duration, longer than nothing; or one of the words that are given."""

    name = "duration"

    def __init__(self, *words: str) -> None:
        self._words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a timedelta, or the word."""
        if isinstance(value, timedelta) or value in self._words:
            return value
        try:
            found: timedelta = parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if found <= timedelta(0):
            self.fail("it must be longer than nothing", param, ctx)
        return found


@click.command("monitor")
@click.argument("bee", required=False)
@click.option("--window", type=Span(), help="Judge the labels of so long (default: the bee's, 7d).")
@click.option("--as-of", type=Time(), multiple=True, help="By what was known then (repeatable; default: now).")
@click.option("--reference", type=Span("previous", "training"), metavar="previous|training|DURATION",
              help="What drift is measured from: the 30 days before the window, so long before it, or the rows that "
                   "the model was trained on (default: the bee's, previous).")  # fmt: skip
@click.option("--version", help="Judge this version instead of the one in production.")
@click.option("--publish", is_flag=True, help="Put the evaluation on the intake bus.")
@click.option("--save", type=click.File("w", encoding="utf-8", lazy=False),
              help="Write the evaluations to a file, too, as `colony replay` reads them.")  # fmt: skip
@json_option
def command(bee: str | None, *, publish: bool, save: TextIO | None, as_json: bool, **more: Any) -> int:
    """Judge what BEE (default: each bee) has in production: metrics on the labels that are in, and drift.

    While a rollout or a test is under way every live version is judged, the champion first.

    Prints the metrics with their intervals and baselines, and the features, drifted ones first; with --json the
    `model.evaluated` event. --publish puts that on the intake bus, where it is one event per version and window however
    often it is asked for. A window whose labels are not in is neither published nor saved: exit code 3.
    """
    with opened() as app:
        asked = list(_asked(app, bee, **more))
        awaited = [_tell(app, one, publish=publish, save=save, as_json=as_json) for one in asked]
    if not asked:
        click.echo("no bee has a model in production", err=True)
    return AWAITED if any(awaited) and (publish or save) else 0


def _asked(app: Any, name: str | None, *, as_of: Sequence[datetime], version: str | None, **how: Any) -> Iterator[Any]:
    """Return what is to be judged: each bee at each time. Raises Rejected, NotFound."""
    from worker.monitor.judge import Asked

    times = as_of or [app.clock()]
    if max(times) > app.clock():
        raise Rejected("lies in the future", field="--as-of", mend="give a time that has passed")
    if name is None and version is not None:
        raise click.UsageError("--version: say whose, by BEE")
    for bee in _bees(app, name):
        judged = _versions(app, bee.bee, version, needed=name is not None)
        yield from (Asked.at(bee, one, time, **how) for time in times for one in judged)


def _bees(app: Any, name: str | None) -> list[BeeSpec]:
    if name is None:
        return [bee for bee in app.bees.values() if bee.task != "generation"]
    if name not in app.bees:
        raise NotFound(f"there is no bee {name!r}; there are: {', '.join(sorted(app.bees))}")
    return [app.bees[name]]


def _versions(app: Any, bee: str, name: str | None, *, needed: bool) -> list[Any]:
    """Return the version of that name, or what is live: the champion first, then what is tried beside it."""
    from worker.monitor.schedule import live

    with app.ledger.begin(write=False) as transaction:
        named = [transaction.models.get(bee, name)] if name is not None else live(transaction.models, bee)
    found = [one for one in named if one is not None]
    if not found and needed:
        words = f"{bee} has no model in production" if name is None else f"there is no version {name} of {bee}"
        raise NotFound(words)
    return found


def _tell(app: Any, asked: "Asked", *, publish: bool, save: TextIO | None, as_json: bool) -> bool:
    """Judge, print, publish and save as told; return whether labels are awaited."""
    from worker.monitor.event import outgoing
    from worker.publish.events import structured

    judgement: Judgement = app.monitor.judge(asked)
    event = outgoing(judgement)
    shown = _structured(structured(event))
    if as_json:
        print_json([shown])
    else:
        from worker.cli.monitor_table import print_judgement

        print_judgement(judgement)
    if not judgement.complete:
        if publish or save:
            click.echo("neither published nor saved: its labels are awaited; ask again later", err=True)
        return True
    if save:
        save.write(json.dumps(shown, allow_nan=False) + "\n")
    if publish:
        _publish(app, event, quiet=as_json)
    return False


def _structured(event: Any) -> dict[str, Any]:
    """Leave out the place in the colony's order of events, which one for the intake does not have."""
    return {name: value for name, value in event.items() if name != "sequence"}


def _publish(app: Any, event: Outgoing, *, quiet: bool) -> None:
    concluded = app.tell_intake(event)
    if quiet:
        return
    if concluded is None:
        click.echo(f"published: {event.id}")
        return
    from worker.cli.decision_line import decision_line

    click.echo(decision_line(concluded))

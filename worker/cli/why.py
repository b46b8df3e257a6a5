"""`colony why`: why it did, or did not, retrain."""

from typing import Any

import click

from worker.cli.common import json_option, opened, print_json

_MARKS = {
    "fired": ("✗", "red"),
    "held": ("■", "yellow"),
    "passed": ("✓", "green"),
    "clear": ("✓", "green"),
    "between": ("~", "yellow"),
    "undefined": ("?", "cyan"),
    "off": ("·", None),
}
_NAMES = 26


@click.command("why")
@click.argument("subject", metavar="EVENT|RUN|BEE")
@json_option
def command(subject: str, *, as_json: bool) -> None:
    """Tell in words why it did or did not retrain: every rule and guard in order, and what happens next.

    EVENT is an event's id as `colony decisions` shows it, RUN a run's as `colony runs`, BEE a bee's name.
    """
    from worker.cli.pauses import tell_pauses
    from worker.runs.explain import Explainer
    from worker.runs.explanation import printed

    with opened() as app, app.ledger.begin(write=False) as transaction:
        explainer = Explainer(transaction, app.bees, app.policy, app.clock(), app.pricing.typical)
        found = explainer.explain(subject)
        if as_json:
            print_json(printed(one) for one in found)
            return
        tell_pauses(app, transaction, None)
    for explanation in found:
        _print(explanation)


def _print(explanation: Any) -> None:
    click.secho(f"{explanation.kind} {explanation.subject}", bold=True)
    for sentence in explanation.summary:
        click.echo(f"  {sentence}")
    for section in explanation.sections:
        click.echo()
        click.echo(section.title)
        for line in section.lines:
            _line(line)
    click.echo()
    click.echo(f"Next: {explanation.following}")


def _line(line: Any) -> None:
    mark, colour = _MARKS.get(line.outcome, ("–", None))
    name = line.name[:19].replace("T", " ") if line.name[:2] == "20" else line.name
    styled = click.style(f"{mark} {line.outcome:<10}", fg=colour, dim=line.outcome == "off")
    click.echo(f"  {styled} {name:<{_NAMES}} {line.why}")
    seen = ", ".join(f"{key} {_value(value)}" for key, value in line.inputs.items() if value not in (None, [], {}))
    if seen and line.outcome != "off":
        click.secho(f"  {'':<12} {'':<{_NAMES}} saw: {seen}", dim=True)


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

"""What an operator's commands share: who acts, why, and how a time line is printed."""

import getpass
from collections.abc import Iterable
from typing import Any

import click

from worker.incidents.words import Entry

reason_option = click.option("--reason", required=True, help="Why; recorded, for whoever is on call next.")
by_option = click.option("--by", help="Who acts; recorded (default: the user of this terminal).")


def operator(app: Any, by: str | None) -> Any:
    """Return who acts, with what they act on."""
    from handlers.commands.operator import Operator

    typical = app.pricing.typical
    return Operator(by or _user(), app.ledger, app.bees, app.policy, app.clock(), app.new_labels, typical)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run as a number that has no name.
        return "operator"


def print_story(entries: Iterable[Entry]) -> None:
    """Print a story as a time line."""
    for entry in entries:
        click.echo(f"  {entry.at[:19].replace('T', ' ')}  {entry.what:<11} {entry.said}")
        for detail in entry.details:
            click.echo(click.style(f"  {'':<19}  {'':<11} · {detail}", dim=True))

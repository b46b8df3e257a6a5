"""`colony pauses`: what is paused, by whom, why, and until when; and the line that other lists show of it."""

from typing import Any

import click

from worker.cli.common import json_option, opened, print_json, print_table, short


@click.command("pauses")
@json_option
def command(*, as_json: bool) -> None:
    """List what is paused."""
    from handlers.commands.pause import pauses, shown_pause

    with opened() as app, app.ledger.begin(write=False) as transaction:
        found = pauses(transaction, app.clock())
        held = [(None, found.colony)] if found.colony else []
        rows = [*held, *sorted(found.bees.items())]
        if as_json:
            print_json(shown_pause(bee, pause) for bee, pause in rows)
            return
        columns = ("paused", "by", "since", "until", "reason")
        table = [(bee or "the colony", one.by, short(one.since), short(one.until), one.reason) for bee, one in rows]
        print_table(columns, table, empty="nothing is paused")


def tell_pauses(app: Any, transaction: Any, bee: str | None) -> None:
    """Say above a list what is paused of what it shows."""
    from handlers.commands.pause import pauses, said

    found = pauses(transaction, app.clock())
    if found.colony:
        click.secho(f"the colony is {said(found.colony)}", fg="yellow", err=True)
    for name, pause in sorted(found.bees.items()):
        if bee in {None, name}:
            click.secho(f"{name} is {said(pause)}", fg="yellow", err=True)

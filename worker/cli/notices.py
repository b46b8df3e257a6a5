"""`colony notices`: what people were told by webhook, and what could not be told."""

import click

from worker.cli.common import json_option, opened, print_json, print_table, short
from worker.clock import to_text
from worker.errors import NotFound


@click.group("notices", invoke_without_command=True)
@click.option("--failed", is_flag=True, help="Only those that were not taken: tried again, or lost.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Only the newest so many.")
@json_option
@click.pass_context
def command(ctx: click.Context, *, failed: bool, limit: int, as_json: bool) -> None:
    """List what was sent to COLONY_WEBHOOK, with the last error of what was not taken; the newest last."""
    if ctx.invoked_subcommand:
        return
    with opened() as app, app.ledger.begin(write=False) as transaction:
        told = bool(app.settings.webhook.get_secret_value())
        found = [one for one in transaction.notices.list(limit=limit) if one.error or not failed]
    if as_json:
        print_json(
            {
                "eventId": one.id,
                "type": one.type,
                "beeId": one.bee,
                "state": one.state.value,
                "attempts": one.attempts,
                "firstAt": to_text(one.first_at),
                "lastAt": to_text(one.last_at),
                "nextAt": to_text(one.next_at),
                "error": one.error or None,
            }
            for one in reversed(found)
        )
        return
    nothing = "nothing was sent" if told else "nothing was sent: COLONY_WEBHOOK is not set"
    rows = [
        (one.id, one.bee, one.type, one.state, one.attempts, short(one.last_at), one.error) for one in reversed(found)
    ]
    print_table(("event", "bee", "type", "state", "attempts", "last", "error"), rows, empty=nothing)


@command.command("again")
@click.argument("event_id")
def again(event_id: str) -> None:
    """Have a notice that was given up sent after all."""
    with opened() as app, app.ledger.begin() as transaction:
        if not transaction.notices.again(event_id):
            raise NotFound(f"no notice {event_id} was given up; `colony notices --failed` lists them")
    click.echo(f"{event_id}: the worker sends it again")

"""`colony pause`: nothing new is started for a bee, or for the colony."""

from datetime import datetime

import click

from worker.cli.common import Time, json_option, opened, print_json, publish
from worker.cli.operating import by_option, operator, reason_option


@click.command("pause")
@click.argument("bee", required=False)
@reason_option
@click.option("--until", type=Time(), help="Until then (default: until `colony resume`).")
@by_option
@json_option
def command(bee: str | None, *, reason: str, until: datetime | None, by: str | None, as_json: bool) -> None:
    """Pause BEE, or without one the whole colony.

    Runs in flight go on, evaluations are judged and recorded as ever; what they ask for waits, and begins when the
    pause is over.
    """
    from handlers.commands.pause import pause, said, shown_pause

    with opened() as app:
        made = pause(operator(app, by), bee, reason, until)
        publish(app)
        if as_json:
            print_json([shown_pause(bee, made)])
        else:
            click.echo(f"{bee or 'the colony'} is {said(made)}")

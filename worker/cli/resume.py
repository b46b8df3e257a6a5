"""`colony resume`: the end of a pause."""

import click

from worker.cli.common import opened, publish
from worker.cli.operating import by_option, operator


@click.command("resume")
@click.argument("bee", required=False)
@by_option
def command(bee: str | None, *, by: str | None) -> None:
    """Resume BEE, or without one the colony; what waits is judged again at once."""
    from handlers.commands.pause import resume, said

    with opened() as app:
        before = resume(operator(app, by), bee)
        publish(app)
        click.echo(f"{bee or 'the colony'} goes on (it was {said(before)})")

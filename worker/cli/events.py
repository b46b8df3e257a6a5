"""`colony events`: what was published."""

import click

from worker.cli.common import bee_option, json_option, opened, print_json, print_table, short
from worker.publish.events import structured


@click.command("events")
@bee_option
@json_option
def command(bee: str | None, *, as_json: bool) -> None:
    """List outgoing events in order, with whether the bus has confirmed them; --json prints the CloudEvents."""
    with opened() as app, app.ledger.begin(write=False) as transaction:
        found = transaction.outbox.list(bee=bee)
        if as_json:
            print_json({**structured(event), "published": published} for event, published in found)
            return
        columns = ("time", "bee", "#", "type", "published", "about")
        rows = [
            (
                short(event.time),
                event.bee,
                event.sequence,
                event.type,
                "yes" if done else "waiting",
                event.data.get("verdictReason") or event.data.get("reason"),
            )
            for event, done in found
        ]
        print_table(columns, rows, empty="nothing was published yet")

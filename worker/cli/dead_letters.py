"""`colony dead-letters`: what was turned away."""

import click

from worker.cli.common import json_option, opened, print_json, print_table, short
from worker.clock import to_text


@click.command("dead-letters")
@json_option
def command(*, as_json: bool) -> None:
    """List the messages that were turned away, each with the reason that names the field and the mend."""
    with opened() as app, app.ledger.begin(write=False) as transaction:
        letters = transaction.inbox.dead_letters()
        if as_json:
            print_json(
                {
                    "id": letter.id,
                    "source": letter.source,
                    "eventId": letter.event_id,
                    "reason": letter.reason,
                    "receivedAt": to_text(letter.received_at),
                    "deliveries": letter.deliveries,
                    "attributes": dict(letter.attributes),
                    "size": len(letter.body),
                    "body": letter.body[:4096].decode("utf-8", "replace"),
                }
                for letter in letters
            )
            return
        rows = [
            (short(item.received_at), item.id[:12], len(item.body), item.deliveries, item.reason) for item in letters
        ]
        print_table(("received", "id", "bytes", "came", "reason"), rows, empty="nothing was turned away")

"""`colony decisions`: the journal."""

import click

from worker.cli.common import bee_option, json_option, opened
from worker.cli.decision_line import decision_line
from worker.cli.pauses import tell_pauses
from worker.decide.journal import printed


@click.command("decisions")
@bee_option
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest so many.")
@json_option
def command(bee: str | None, limit: int | None, *, as_json: bool) -> None:
    """List decisions in the order they were made: one per event, `no action` included.

    With --json one object per line: eventId, source, beeId, modelVersion, evaluatedAt, decidedAt, action (trigger |
    none | held | attached | stale | refused), rules (name, inputs, fired, outcome, why), reason, runId, incidentId,
    policyVersion, deliveries (how often the event came; duplicates change nothing else).
    """
    import json

    with opened() as app, app.ledger.begin(write=False) as transaction:
        if not as_json:
            tell_pauses(app, transaction, bee)
        for entry in transaction.decisions.list(bee=bee, limit=limit):
            deliveries = transaction.inbox.deliveries(entry.source, entry.event_id)
            if as_json:
                click.echo(json.dumps({**printed(entry), "deliveries": deliveries}, ensure_ascii=False))
            else:
                again = f"  [came {deliveries} times]" if deliveries > 1 else ""
                click.echo(decision_line(printed(entry)) + again)

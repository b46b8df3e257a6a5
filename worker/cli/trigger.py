"""`colony trigger`: ask for a run by hand."""

import secrets
from datetime import datetime

import click

from worker.cli.common import Time, opened
from worker.cli.follow import GOOD, Running, follow
from worker.cli.root import RUN_FAILED


@click.command("trigger")
@click.argument("template")
@click.option("--bee", required=True, help="The bee to train for.")
@click.option("--as-of", type=Time(), help="Train on the window that ends then (default: now).")
@click.option("--wait", is_flag=True, help="Execute it here, show its steps, and wait for its verdict.")
@click.option("--key", help="Idempotency key: the same key again is the same run.")
@click.option("--reason", default="asked for by an operator", show_default=True, help="Why; recorded with the run.")
def command(template: str, bee: str, as_of: datetime | None, key: str | None, reason: str, *, wait: bool) -> int:
    """Ask for a run of TEMPLATE. Whether its model is deployed is the gate's to say; a refusal is an answer (exit 0).

    Without --wait the run is left to `colony run` or `colony drain`. Exits with 6 if the run failed.
    """
    from handlers.commands.trigger_pipeline import TriggerPipeline, trigger_pipeline

    with opened() as app:
        now = app.clock()
        asked = TriggerPipeline(template, bee, as_of or now, key or secrets.token_hex(8), reason)
        run = trigger_pipeline(asked, app.ledger, app.bees, app.templates, now)
        click.echo(f"{run.id}")
        if not wait:
            click.echo("asked for; `colony run` or `colony drain` executes it", err=True)
            return 0
        with Running(app) as running:
            done = follow(app, run.id)
            running.settle(remote=not app.engine.local)
        return 0 if done.verdict in GOOD else RUN_FAILED

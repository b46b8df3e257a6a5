"""`colony trigger`: ask for a run by hand."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from worker.cli.common import Time, opened
from worker.cli.comparison import print_outcome
from worker.cli.follow import GOOD, Running, follow
from worker.cli.root import RUN_FAILED
from worker.pipelines.parameters import Parameter, from_text


@click.command("trigger")
@click.argument("template")
@click.option("--bee", required=True, help="The bee to train for.")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE",
              help="A parameter of the template (repeatable); lists and objects as JSON.")  # fmt: skip
@click.option("--as-of", type=Time(), help="Train on the window that ends then (default: now).")
@click.option("--wait", is_flag=True, help="Execute it here, show its steps, and wait for its verdict.")
@click.option("--key", help="Idempotency key: the same key again is the same run.")
@click.option("--reason", default="asked for by an operator", show_default=True, help="Why; recorded with the run.")
def command(template: str, bee: str, as_of: datetime | None, *, wait: bool, **more: Any) -> int:
    """Ask for a run of TEMPLATE. Whether its model is deployed is the gate's to say; a refusal is an answer (exit 0).

    Without --wait the run is left to `colony run` or `colony drain`. Exits with 6 if the run failed.
    """
    from handlers.commands.trigger_pipeline import TriggerPipeline, trigger_pipeline

    with opened() as app:
        if wait:
            # What cannot be executed here is not to be left behind as a pending run.
            app.engine.verify()
        now = app.clock()
        parameters = parameters_of(app.templates.get_known(template).declared, more["parameters"])
        key = more["key"] or secrets.token_hex(8)
        asked = TriggerPipeline(template, bee, as_of, key, more["reason"], parameters)
        run = trigger_pipeline(asked, app.ledger, app.bees, app.templates, now, app.configuration.check_reachable)
        click.echo(f"{run.id}")
        if not wait:
            click.echo("asked for; `colony run` or `colony drain` executes it", err=True)
            return 0
        with Running(app) as running:
            done = follow(app, run.id)
            running.settle(remote=not app.engine.local)
        print_outcome(done.outcome or {})
        return 0 if done.verdict in GOOD else RUN_FAILED


def parameters_of(declared: Mapping[str, Parameter], words: Sequence[str]) -> dict[str, Any]:
    """Return what `NAME=VALUE` words give a template's parameters. Raises Rejected."""
    pairs = [word.partition("=") for word in words]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise click.UsageError(f"-p {name}: write it as NAME=VALUE")
    return {name: from_text(declared, name, text) for name, _, text in pairs}

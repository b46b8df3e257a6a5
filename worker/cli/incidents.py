"""`colony incidents`: every incident in a table."""

import click

from worker.cli.common import bee_option, json_option
from worker.cli.incident import list_incidents

_STATES = ("open", "retraining", "gated", "rollout", "deployed", "refused", "failed", "escalated", "closed")


@click.command("incidents")
@bee_option
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@json_option
def command(bee: str | None, state: str | None, *, as_json: bool) -> None:
    """List incidents, the newest last; `colony incident ID` tells one's story."""
    list_incidents(bee, state, as_json=as_json)

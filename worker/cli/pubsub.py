"""`colony pubsub`: topics and subscriptions."""

import click

from worker.cli.common import opened
from worker.errors import Rejected


@click.group("pubsub")
def command() -> None:
    """Make the Pub/Sub topics and subscriptions."""


@command.command("init")
def init() -> None:
    """Make the intake's topic and subscription, the dead letters' and the outgoing topic; change what differs.

    Prints what was done, and the commands for the rights that only an owner of the project can give.
    PUBSUB_EMULATOR_HOST is honoured, as everywhere.
    """
    with opened() as app:
        settings = app.settings
        if not settings.project:
            raise Rejected("is not set", field="GOOGLE_CLOUD_PROJECT", mend="set it to the project's id")
        done, grants = app.init_pubsub()
        for line in done or ["everything was there"]:
            click.echo(line)
        click.echo("\nPub/Sub itself needs these rights (once, by an owner of the project; repeating is harmless):")
        for command in grants:
            click.echo(f"  {command}")

"""`colony pubsub`: topics and subscriptions."""

import click

from worker.cli.common import opened
from worker.errors import Rejected


@click.group("pubsub")
def command() -> None:
    """Make the Pub/Sub topics and subscriptions."""


@command.command("init")
def init() -> None:
    """Make the intake's topic and subscription, the dead letters' and the outgoing topic; what exists is left alone.

    PUBSUB_EMULATOR_HOST is honoured, as everywhere.
    """
    with opened() as app:
        settings = app.settings
        if not settings.project:
            raise Rejected("is not set", field="GOOGLE_CLOUD_PROJECT", mend="set it to the project's id")
        created = app.init_pubsub()
        for name in created:
            click.echo(f"made {name}")
        if not created:
            click.echo("everything was there")

"""`colony features init`: what the feature store on Google Cloud stands on."""

import click

from worker.cli.common import opened


@click.command("init")
def init() -> None:
    """Make the data sets, tables and Feature Views of the store; what is there already is left alone.

    Run it once before the first definition, and again when definitions have changed: a view serves what was defined
    when this was run. The first time an online store is made, which takes minutes and costs a Bigtable node.
    """
    with opened() as app:
        made = app.init_features()
    for name in made:
        click.echo(f"made {name}")
    if not made:
        click.echo("everything was there")

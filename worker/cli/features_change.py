"""`colony features define`, `deprecate` and `delete`."""

from typing import Any

import click

from worker.bee import parse_duration
from worker.cli.common import opened, publish
from worker.features.definition import TYPES
from worker.features.port import Definition


@click.command("define")
@click.option("--name", help="Define this one (default: all of config/features).")
@click.option("--entity", help="Whose feature it is.")
@click.option("--type", "type_", type=click.Choice(TYPES), help="Its type.")
@click.option("--group", default="", help="A label to find it by.")
@click.option("--description", default="", help="What it says.")
@click.option("--ttl", help="How long a value is valid: 30d, 12h, 86400s (default: for ever).")
@click.option("--unit", default="", help="What a number counts, such as seconds.")
@click.option("--tag", "tags", multiple=True, help="A word to find it by; may be given several times.")
@click.option("--owner", default="", help="Who answers for it.")
@click.option("--minimum", type=float, help="The least number that may be stored.")
@click.option("--maximum", type=float, help="The greatest number that may be stored.")
@click.option("--computation", help="Compute it from features of the same entity: sum(engagement) / account_age.")
def define(name: str | None, type_: str | None, **given: Any) -> None:
    """Define one feature, or bring the store in line with config/features; the same again changes nothing.

    A changed definition is a new version; a type or entity that changes while there are values is refused.
    """
    from handlers.commands.define_feature import define_feature

    with opened() as app:
        if name is None:
            if type_ or any(given.values()):
                raise click.UsageError("say with --name which feature this is")
            defined = app.define_features()
        else:
            wanted = _definition(app, name, type_, given)
            defined = [define_feature(wanted, app.features, app.ledger, app.clock())]
        publish(app)
        click.echo(f"{len(defined)} features: {', '.join(f'{item.name} v{item.version}' for item in defined)}")


def _definition(app: Any, name: str, type_: str | None, given: dict[str, Any]) -> Definition:
    if not given["entity"] or not type_:
        raise click.UsageError("--name needs --entity and --type")
    try:
        ttl = parse_duration(given.pop("ttl"))
    except ValueError as error:
        raise click.UsageError(f"--ttl: {error}") from error
    before = next((item for item in app.features.definitions() if item.name == name), None)
    return Definition(
        name=name,
        type=type_,
        ttl=ttl or None,
        source="ingested" if given["computation"] is None else "computed",
        deprecated=before.deprecated if before else "",  # only `deprecate` changes that
        **given,
    )


@click.command("deprecate")
@click.argument("name")
@click.option("--reason", help="Why it should not be used any more.")
@click.option("--undo", is_flag=True, help="It may be used again.")
def deprecate(name: str, reason: str | None, *, undo: bool) -> None:
    """Say of a feature why it should not be used any more; it goes on working, in its version."""
    from handlers.commands.define_feature import deprecate_feature

    if undo == bool(reason):
        raise click.UsageError("say why with --reason, or take it back with --undo")
    with opened() as app:
        marked = deprecate_feature(name, reason, app.features, app.ledger, app.clock())
        publish(app)
    click.echo(f"{name} v{marked.version} {'may be used again' if undo else f'is deprecated: {marked.deprecated}'}")


@click.command("delete")
@click.argument("name")
@click.option("--force", is_flag=True, help="Also if a bee's spec names it or a model in production reads it.")
def delete(name: str, *, force: bool) -> None:
    """Delete a feature with all its values; its versions are never given again.

    Refused while a bee's spec names it, a model in production reads it, or a feature is computed from it. --force
    leaves the first two behind: the bee's next run fails until its spec changes, and its model is not served by entity
    any more. A computed feature has to be deleted first.
    """
    from handlers.commands.define_feature import delete_feature

    with opened() as app:
        users = delete_feature(name, app.features, app.bees, app.ledger, force=force)
    click.echo(f"{name} is deleted")
    for user in users.words():
        click.echo(f"left without it: {user}", err=True)

"""`colony events`: what was published, and the schemas of what is."""

import json
from collections.abc import Mapping
from typing import Any

import click

from worker.cli.common import bee_option, json_option, opened, print_json, print_table, short


@click.group("events", invoke_without_command=True)
@bee_option
@json_option
@click.pass_context
def command(context: click.Context, bee: str | None, *, as_json: bool) -> None:
    """List outgoing events in order, with whether the bus has confirmed them; --json prints the CloudEvents."""
    if context.invoked_subcommand:
        return
    from worker.publish.events import structured

    with opened() as app, app.ledger.begin(write=False) as transaction:
        found = transaction.outbox.list(bee=bee)
        if as_json:
            base = app.settings.public_url.rstrip("/")
            print_json({**structured(event, base), "published": published} for event, published in found)
            return
        columns = ("time", "bee", "#", "type", "published", "about")
        rows = [
            (
                short(event.time),
                event.bee,
                event.sequence,
                event.type,
                "yes" if done else "waiting",
                _about(event.data),
            )
            for event, done in found
        ]
        print_table(columns, rows, empty="nothing was published yet")


def _about(data: Mapping[str, Any]) -> str:
    feature = f"{data['feature']}, version {data['version']}" if {"feature", "version"} <= set(data) else ""
    return str(data.get("verdictReason") or data.get("reason") or feature)


@command.command("schema")
@click.argument("type_", metavar="[TYPE]", required=False)
@json_option
def schema(type_: str | None, *, as_json: bool) -> None:
    """Print the JSON Schema of the data of events of a TYPE; without one list all types that come in or go out.

    With --json each is one line; without a TYPE every schema, one to a line.
    """
    from worker.publish.catalogue import catalogue, described

    if type_ is not None:
        found: Any = described(type_).schema
        click.echo(json.dumps(found, ensure_ascii=False, indent=None if as_json else 2))
        return
    if as_json:
        print_json(one.schema for one in catalogue().values())
        return
    rows = [(one.type, one.direction, f"v{one.version}", one.about) for one in catalogue().values()]
    print_table(("type", "", "version", "what it tells"), rows, empty="")

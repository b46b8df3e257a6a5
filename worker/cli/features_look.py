"""`colony features list`, `show` and `usage`: which features there are, and who reads them."""

from datetime import datetime, timedelta
from typing import Any

import click

from worker.bee import duration_text
from worker.cli.common import json_option, opened, print_json, print_table, short
from worker.clock import to_text
from worker.features.definition import TYPES, range_text
from worker.features.port import Definition, FeatureFacts, Usage


@click.command("list")
@click.option("--search", help="Words in name, description, group, unit, owner or tags.")
@click.option("--tag", help="Only with this tag.")
@click.option("--owner", help="Only this owner's.")
@click.option("--entity", help="Only of this entity.")
@click.option("--type", "type_", type=click.Choice(TYPES), help="Only of this type.")
@json_option
def show_all(*, as_json: bool, search: str | None, tag: str | None, type_: str | None, **fields: str | None) -> None:
    """List or search the definitions, the newest version of each."""
    from worker.features.search import Search

    with opened() as app:
        found = Search(search, tag, {**fields, "type": type_}).among(app.features.definitions())
    if as_json:
        print_json(shown(item) for item in found)
        return
    narrowed = any((search, tag, type_, *fields.values()))
    empty = "none found" if narrowed else "none yet: `colony features define` takes those of config/features"
    columns = ("feature", "entity", "group", "type", "unit", "source", "ttl", "version", "owner", "tags", "description")
    print_table(columns, [_row(item) for item in found], empty=empty)


def _row(item: Definition) -> tuple[Any, ...]:
    said = f"DEPRECATED: {item.deprecated}" if item.deprecated else item.description
    whose = (item.name, item.entity, item.group, item.type, item.unit, item.source)
    return *whose, ttl_text(item), item.version, item.owner, ", ".join(item.tags), said


@click.command("show")
@click.argument("name")
@json_option
def show(name: str, *, as_json: bool) -> None:
    """Tell all of one feature: its versions, how new its values are, who reads it and who uses it."""
    from handlers.commands.feature_users import live_models, users_of

    with opened() as app:
        versions = app.features.versions(name)
        facts = next((item for item in app.features.facts() if item.feature == name), None)
        usage = [item for item in app.features.usage() if item.feature == name]
        users = users_of(name, app.features.definitions(), app.bees, live_models(app.ledger))
        now = app.clock()
    body: dict[str, Any] = {
        **shown(versions[-1]),
        **_facts(facts, usage, now),
        "versions": [shown(item) for item in versions],
        "readers": [_usage(item) for item in usage],
        "usedBy": {"bees": list(users.bees), "computed": list(users.computed), "models": list(users.models)},
    }
    if as_json:
        print_json([body])
        return
    _print_body(body)
    columns = ("version", "entity", "type", "ttl", "range", "unit", "computation", "description")
    print_table(columns, [_version_row(item) for item in versions], empty="")
    click.echo(f"used by: {'; '.join(users.words()) or 'nobody'}")
    _print_usage(usage)


def _version_row(item: Definition) -> tuple[Any, ...]:
    meaning = (item.entity, item.type, ttl_text(item), range_text(item), item.unit, item.computation)
    return item.version, *meaning, item.description


def _facts(facts: FeatureFacts | None, usage: list[Usage], now: datetime) -> dict[str, Any]:
    newest = facts.newest_event if facts else None
    return {
        "values": facts.values if facts else None,
        "newestEvent": _time(newest),
        "staleSeconds": None if newest is None else round((now - newest).total_seconds(), 3),
        "lastWritten": _time(facts.last_written if facts else None),
        "lastRead": _time(max((item.last_read for item in usage), default=None)),
    }


def _print_body(body: dict[str, Any]) -> None:
    names = {"source", "owner", "group", "tags", "deprecated", "values", "newestEvent", "lastWritten", "lastRead"}
    click.echo(f"{body['name']}: a {body['type']} of {body['entity']}")
    for name, value in body.items():
        if name in names and value not in (None, "", []):
            click.echo(f"  {name}: {', '.join(value) if name == 'tags' else value}")
    if body["staleSeconds"] is not None:
        click.echo(f"  stale for: {timedelta(seconds=round(body['staleSeconds']))}")


@click.command("usage")
@click.argument("name", required=False)
@json_option
def usage(name: str | None, *, as_json: bool) -> None:
    """Tell who read which feature how often, in values, and when last."""
    with opened() as app:
        if name is not None:
            app.features.versions(name)  # one that is not defined is told
        found = [item for item in app.features.usage() if name in {None, item.feature}]
    if as_json:
        print_json({"featureName": item.feature, **_usage(item)} for item in found)
        return
    _print_usage(found)


def _print_usage(found: list[Usage]) -> None:
    rows = [(item.feature, *item.reader, f"{item.reads:,}", short(item.last_read)) for item in found]
    print_table(("feature", "caller", "purpose", "values read", "last read"), rows, empty="not read yet")


def _usage(item: Usage) -> dict[str, Any]:
    return {
        "caller": item.reader.caller,
        "purpose": item.reader.purpose,
        "reads": item.reads,
        "lastRead": to_text(item.last_read),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)


def ttl_text(definition: Definition) -> str:
    """Return how long a value is valid, for a table."""
    return duration_text(definition.ttl) if definition.ttl else "for ever"


def shown(definition: Definition) -> dict[str, Any]:
    """Return a definition as JSON shows it."""
    return {
        "name": definition.name,
        "entity": definition.entity,
        "group": definition.group,
        "type": definition.type,
        "source": definition.source,
        "computation": definition.computation,
        "ttl": duration_text(definition.ttl) if definition.ttl else None,
        "owner": definition.owner,
        "description": definition.description,
        "unit": definition.unit,
        "tags": list(definition.tags),
        "minimum": definition.minimum,
        "maximum": definition.maximum,
        "deprecated": definition.deprecated,
        "version": definition.version,
    }

"""`colony features`: define, import, read, list."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from worker.bee import duration_text, parse_duration
from worker.cli.common import json_option, opened, print_json, print_table
from worker.clock import to_text
from worker.features.port import Definition, Reading, Status


@click.group("features")
def command() -> None:
    """Define features once; import, read and list them."""


@command.command("list")
@json_option
def show_all(*, as_json: bool) -> None:
    """List the definitions, the newest version of each."""
    with opened() as app:
        found = app.features.definitions()
        if as_json:
            print_json(_shown(item) for item in found)
            return
        rows = [
            (item.name, item.entity, item.group, item.type, item.source, _ttl(item), item.version, item.description)
            for item in found
        ]
        columns = ("feature", "entity", "group", "type", "source", "ttl", "version", "description")
        print_table(columns, rows, empty="none yet: `colony features define` takes those of config/features")


@command.command("define")
@click.option("--name", help="Define this one (default: all of config/features).")
@click.option("--entity", help="Whose feature it is.")
@click.option("--type", "type_", type=click.Choice(["number", "string", "boolean", "vector"]), help="Its type.")
@click.option("--group", default="", help="A label to find it by.")
@click.option("--description", default="", help="What it says.")
@click.option("--ttl", help="How long a value is valid: 30d, 12h, 86400s (default: for ever).")
@click.option("--computation", help="Compute it from features of the same entity: sum(engagement) / account_age.")
def define(name: str | None, **given: Any) -> None:
    """Define one feature, or bring the store in line with config/features; the same again changes nothing."""
    with opened() as app:
        if name is None:
            defined = app.define_features()
        else:
            if not given["entity"] or not given["type_"]:
                raise click.UsageError("--name needs --entity and --type")
            try:
                ttl = parse_duration(given["ttl"])
            except ValueError as error:
                raise click.UsageError(f"--ttl: {error}") from error
            definition = Definition(
                name=name,
                entity=given["entity"],
                type=given["type_"],
                group=given["group"],
                description=given["description"],
                ttl=ttl or None,
                source="ingested" if given["computation"] is None else "computed",
                computation=given["computation"],
            )
            defined = [app.features.define(definition)]
        click.echo(f"{len(defined)} features: {', '.join(f'{item.name} v{item.version}' for item in defined)}")


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--entity", required=True, help="Whose features these are.")
@click.option("--entity-id", required=True, help="The column with the entity's id.")
@click.option("--event-time", required=True, help="The column that says when a row's values became true.")
@click.option("--known-at", help="The column that says when they became known (default: now).")
@click.option("--columns", help="Only these features, separated by commas (default: every further column).")
@click.option("--define", "define_", is_flag=True, help="Define what is not, by the type of what stands there.")
@click.option("--rejects", type=click.Path(path_type=Path), help="Where bad rows go (default: beside the data).")
def import_(file: Path, columns: str | None, rejects: Path | None, *, define_: bool, **spec: str) -> None:
    """Import FILE (CSV, JSON Lines, both also .gz, or Parquet): each further column is a feature.

    Good rows go in, bad ones go to the reject file with line and reason. Running it again changes nothing, so an
    interrupted import is simply started again.
    """
    from worker.features.importing import ImportSpec, import_file

    names = None if columns is None else tuple(name.strip() for name in columns.split(","))
    with opened() as app:
        where = rejects or app.settings.home / f"{file.name}.rejects.jsonl"
        report = import_file(
            app.features,
            file,
            ImportSpec(columns=names, **spec),
            define=define_,
            progress=_progress,
            rejects=where,
        )
    _progress_end()
    click.echo(f"{file.name}: {report.values:,} values, {report.new:,} new, {report.rejected:,} rows rejected")
    if report.rejected:
        click.echo(f"the rejected rows are in {where}", err=True)


def _progress(values: int) -> None:
    stream = sys.stderr
    if stream.isatty():
        stream.write(f"\r{values:,} values")
        stream.flush()


def _progress_end() -> None:
    stream = sys.stderr
    if stream.isatty():
        stream.write("\r\033[K")


@command.command("get")
@click.argument("entity_id")
@click.argument("names", nargs=-1, required=True)
@json_option
def get(entity_id: str, names: tuple[str, ...], *, as_json: bool) -> None:
    """Read features of one entity online: each PRESENT, MISSING, EXPIRED or NULL."""
    with opened() as app:
        readings = app.features.read([entity_id], list(names), now=app.clock())[entity_id]
    if as_json:
        print_json(
            {
                "entityId": entity_id,
                "featureName": name,
                "value": reading.value,
                "status": reading.status.value,
                "timestamp": _time(reading.event_time),
            }
            for name, reading in readings.items()
        )
        return
    rows = [(name, _cell(reading), reading.status, _time(reading.event_time)) for name, reading in readings.items()]
    print_table(("feature", "value", "status", "event time"), rows, empty="nothing asked for")


def _cell(reading: Reading) -> str:
    return json.dumps(reading.value, ensure_ascii=False) if reading.status is Status.PRESENT else ""


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)


def _ttl(definition: Definition) -> str:
    return duration_text(definition.ttl) if definition.ttl else "for ever"


def _shown(definition: Definition) -> dict[str, object]:
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
        "version": definition.version,
    }

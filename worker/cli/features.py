"""`colony features`: define, look, import, read."""

import json
import sys
from datetime import datetime
from pathlib import Path

import click

from worker.cli.common import json_option, opened, print_json, print_table
from worker.cli.features_care import COMMANDS as CARE
from worker.cli.features_change import define, delete, deprecate
from worker.cli.features_init import init
from worker.cli.features_look import show, show_all, usage
from worker.cli.features_monitor import monitor
from worker.cli.features_training import training
from worker.clock import to_text
from worker.features.port import Reader, Reading, Status


@click.group("features")
def command() -> None:
    """Define features once; import, read and look at them."""


for _command in (show_all, show, usage, define, deprecate, delete, init, monitor, training, *CARE):
    command.add_command(_command)


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
        readings = app.features.read([entity_id], list(names), now=app.clock(), reader=Reader("cli"))[entity_id]
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

"""`colony features compact`, `stats`, `verify`, `export`, `forget`, `retain`, `backup`: looking after the store."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click

from worker.bee import duration_text, parse_duration
from worker.cli.common import json_option, opened, print_json, print_table, short
from worker.clock import to_text
from worker.features.maintenance import FeatureStats, Maintained


@contextmanager
def _care() -> Iterator[Maintained]:
    """Give the maintenance of the store, if there is any to do."""
    from worker.errors import Rejected

    with opened() as app:
        care = getattr(app.features, "care", None)
        if not isinstance(care, Maintained):
            raise Rejected("this backend of the feature store looks after itself", mend="use its own console")
        yield care


@click.command("compact")
def compact() -> None:
    """Move all values into as few files as possible; those beyond the retention go."""
    with _care() as care:
        retained = care.compact()
        files = sum(one.segments for one in care.stats())
    gone = f"; {retained.values:,} values beyond the retention went" if retained.values else ""
    kept = f", the rows of {retained.snapshots} snapshots are kept by themselves" if retained.snapshots else ""
    click.echo(f"compacted: {files} segments{gone}{kept}")


@click.command("stats")
@json_option
def stats(*, as_json: bool) -> None:
    """Tell of each feature: values, entities, bytes, segments, newest event and last write."""
    with _care() as care:
        found = care.stats()
    if as_json:
        print_json(_shown(one) for one in found)
        return
    rows = [
        (
            one.feature,
            f"{one.values:,}",
            f"{one.entities:,}",
            f"{one.bytes:,}",
            one.segments,
            f"{one.in_log:,}",
            short(one.newest_event),
            short(one.last_written),
        )
        for one in found
    ]
    columns = ("feature", "values", "entities", "bytes", "segments", "in log", "newest event", "last written")
    print_table(columns, rows, empty="no feature is defined")


def _shown(one: FeatureStats) -> dict[str, object]:
    return {
        "featureName": one.feature,
        "values": one.values,
        "entities": one.entities,
        "bytes": one.bytes,
        "segments": one.segments,
        "inLog": one.in_log,
        "newestEvent": None if one.newest_event is None else to_text(one.newest_event),
        "lastWritten": None if one.last_written is None else to_text(one.last_written),
    }


@click.command("verify")
@json_option
def verify(*, as_json: bool) -> None:
    """Read everything and check it; name what is damaged or missing, and then exit with 1."""
    with _care() as care:
        found = care.losses()
        values = sum(one.values for one in care.stats()) if not found else 0
    if as_json:
        print_json(vars(one) for one in found)
    elif found:
        rows = [(one.feature, one.file, f"{one.rows:,}", f"{one.entities:,}", one.problem) for one in found]
        print_table(("feature", "file", "rows", "entities", "problem"), rows, empty="")
    else:
        click.echo(f"all is well: {values:,} values")
    if found:
        click.get_current_context().exit(1)


@click.command("export")
@click.argument("names", nargs=-1)
@click.option("--to", required=True, type=click.Path(file_okay=False, path_type=Path), help="A directory.")
@click.option("--format", "kind", default="parquet", show_default=True, type=click.Choice(["parquet", "csv", "jsonl"]))
def export(names: tuple[str, ...], to: Path, kind: str) -> None:
    """Write features (all, or those named) into files, one each, that `import --known-at known_at` takes back."""
    with _care() as care:
        found = care.export(names, to, kind, lambda _: None)
    for one in found:
        click.echo(f"{one.path}: {one.values:,} values")
    left_out = sum(one.left_out for one in found)
    if left_out:
        click.echo(f"{left_out:,} values that {kind} cannot tell from none are left out; jsonl keeps them", err=True)


@click.command("forget")
@click.argument("entity")
@click.argument("entity_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(entity: str, entity_id: str, *, yes: bool) -> None:
    """Delete all values of one entity for good; snapshots that rest on them cannot be reproduced any more.

    Backups, exports and tables that pipelines have collected are not the store's: look after them, too.
    """
    if not yes:
        click.confirm(f"Forget all values of {entity} {entity_id!r}?", abort=True)
    with _care() as care:
        found = care.forget(entity, entity_id)
    click.echo(f"{entity} {entity_id!r}: {found.values:,} values are gone, {len(found.snapshots)} snapshots with them")
    for name in found.snapshots:
        click.echo(name)


@click.command("retain")
@click.argument("age", required=False)
def retain(age: str | None) -> None:
    """Set the AGE from which on `compact` lets values go (400d, or `forever`); without it, tell the setting.

    The newest value of each entity stays, and what a snapshot needs is kept for it.
    """
    with _care() as care:
        if age is not None:
            care.retain(_age(age))
        setting = care.retention()
    kept = "for ever" if setting is None else duration_text(setting)
    click.echo(f"values are kept {kept}" if setting is None else f"values are kept for {kept}")


def _age(text: str) -> timedelta | None:
    if text == "forever":
        return None
    try:
        age: timedelta | None = parse_duration(text)
    except ValueError as error:
        raise click.UsageError(f"AGE: {error}") from error
    if age is None or age <= timedelta(0):
        raise click.UsageError("AGE: more than nothing, or `forever`")
    return age


@click.command("backup")
@click.argument("directory", type=click.Path(path_type=Path))
def backup(directory: Path) -> None:
    """Copy the store, as it is at one moment and while it is in use, into a new DIRECTORY.

    To restore, stop whoever uses the store and put the directory in the place of `features` under the data directory.
    """
    with _care() as care:
        size = care.backup(directory)
    click.echo(f"{directory}: {size:,} bytes")


COMMANDS = (compact, stats, verify, export, forget, retain, backup)

"""`colony features training`: a point-in-time table for a file of (entity, time) rows; the same again by its name."""

from pathlib import Path

import click

from worker.cli.common import opened
from worker.features.port import Reader

_READER = Reader("cli", "training")


@click.command("training")
@click.option("--spine", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The rows.")
@click.option("--entity", help="Whose ids stand in the spine (default: the entity of the features).")
@click.option("--entity-id", default="entity_id", show_default=True, help="The spine's column with the ids.")
@click.option("--time", default="event_time", show_default=True, help="The spine's column with the times.")
@click.option("--features", "names", help="Names, separated by commas.")
@click.option("--join", "joins", multiple=True, metavar="ENTITY=FEATURE", help="The feature that holds another's id.")
@click.option("--any-known-at", is_flag=True, help="Take values that were not known yet at a row's time, too.")
@click.option("--snapshot", help="Instead of a spine: the table of an earlier read, by its id.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Where the table goes.")
def training(  # noqa: PLR0913 - the options of a command
    *,
    spine: Path | None,
    entity: str | None,
    entity_id: str,
    time: str,
    names: str | None,
    joins: tuple[str, ...],
    any_known_at: bool,
    snapshot: str | None,
    out: Path,
) -> None:
    """Write the values that were true and known at each row's time: Arrow, Parquet, CSV or JSON Lines, by the name.

    The rows keep their order; each is answered. The id that is printed gives the same table at any later time.
    """
    from worker.features.port import TrainingRequest
    from worker.features.tables import read_spine, write_table

    with opened() as app:
        if snapshot is not None:
            table = app.features.reproduce_table(snapshot)
        else:
            wanted = tuple(name.strip() for name in (names or "").split(",") if name.strip())
            if spine is None or not wanted:
                raise click.UsageError("--spine and --features are needed, or --snapshot")
            request = TrainingRequest(
                entity or _entity_of(app, wanted[0]),
                wanted,
                _pairs(joins),
                read_spine(spine, entity_id, time),
                respect_known_at=not any_known_at,
            )
            snapshot, table = app.features.training_table(request, reader=_READER)
        write_table(table, out, entity_id=entity_id, time=time)
    click.echo(f"{out}: {len(table.spine):,} rows, {len(table.columns)} columns, snapshot {snapshot}")


def _entity_of(app: object, name: str) -> str:
    from worker.errors import NotFound

    for definition in app.features.definitions():  # type: ignore[attr-defined]
        if definition.name == name:
            return str(definition.entity)
    raise NotFound(f"the feature {name!r} is not defined")


def _pairs(joins: tuple[str, ...]) -> dict[str, str]:
    pairs = [join.partition("=") for join in joins]
    wrong = [join for join, (left, _, right) in zip(joins, pairs, strict=True) if not left or not right]
    if wrong:
        raise click.UsageError(f"--join takes ENTITY=FEATURE, not {wrong[0]!r}")
    return {left: right for left, _, right in pairs}

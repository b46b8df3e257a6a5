"""Collect the bee's training rows of the window before `asOf` from the feature store, as Parquet with its hash."""

from datetime import UTC, datetime, timedelta

from worker.bee import BeeSpec, Duration, Value
from worker.clock import to_text
from worker.features.fresh import new_labels
from worker.features.port import LabelWindow, Reader, TrainingRequest, TrainingTable
from worker.steps import outcome
from worker.steps.files import describe, sha256_of
from worker.steps.frozen import Champion, as_of, bee_of, champion_of, new_rows_since
from worker.steps.kinds import DATASET
from worker.steps.marker import stop
from worker.steps.step import StepContext, StepType

STAGE = "collect"


class CollectConfig(Value):
    """What to collect.

    Attributes:
        window: how far back to look; the bee's own unless said otherwise.
        require_new: stop the run if there are too few labels since the champion's snapshot.
    """

    window: Duration | None = None
    require_new: bool = True


def collect(context: StepContext) -> None:
    """Write the rows of [asOf - window, asOf), or stop the run if there is nothing new to learn from."""
    bee, champion, end = bee_of(context), champion_of(context.run), as_of(context.run)
    outcome.begin(context)
    if bee.task == "generation":
        _write_own(context, bee)
        return
    new_rows = _new_rows(context, bee, champion, end)
    if context.config.require_new and new_rows is not None and new_rows < bee.gate.min_new_rows:
        stop(
            context,
            STAGE,
            f"nothing new: {new_rows} labels since the champion's snapshot, {bee.gate.min_new_rows} needed",
        )
        return
    table = _read(context, bee, champion, end)
    kept = [index for index, value in enumerate(table.columns[bee.label]) if value is not None]
    if len(kept) < bee.gate.min_rows:
        stop(context, STAGE, f"too few rows: {len(kept)} labelled in the window, {bee.gate.min_rows} needed")
        return
    _write(context, bee, table, kept, new_rows)


def _write_own(context: StepContext, bee: BeeSpec) -> None:
    """Write the rows that the bee's own file holds: its prompts."""
    from worker.steps.tables import write_rows
    from worker.steps.trainers.port import trainer_of

    rows, path = trainer_of(bee).prepare(bee, as_of(context.run)), context.outputs["rows"]
    if rows is None:
        raise AssertionError(f"the trainer {bee.trainer.type!r} of a generation bee has no rows of its own")
    write_rows(path, rows)
    metadata = {"rows": len(rows), "sha256": sha256_of(path)}
    describe(path, metadata)
    artifacts = [outcome.artifact("rows", DATASET, path, metadata)]
    outcome.record(context, STAGE, lineage={"rowsSha256": metadata["sha256"]}, artifacts=artifacts)


def _new_rows(context: StepContext, bee: BeeSpec, champion: Champion | None, end: datetime) -> int | None:
    if champion is None:
        return None
    since = new_rows_since(context.run) or champion.trained_until
    if since is None:
        return None
    return new_labels(context.ports.features, bee, since, end)


def _read(context: StepContext, bee: BeeSpec, champion: Champion | None, end: datetime) -> TrainingTable:
    """Read the bee's features, and what else the comparison needs: slice columns, features of the champion."""
    wanted = (*bee.features, *bee.gate.slices, *(champion.features if champion else ()))
    names = tuple(dict.fromkeys(name for name in wanted if name != bee.label))
    return context.ports.features.training_read(
        TrainingRequest(
            entity=bee.entity,
            features=names,
            entities=bee.entities,
            label=LabelWindow(label=bee.label, start=_start(end, _window(context, bee)), end=end),
            respect_known_at=bee.respect_known_at,
        ),
        reader=Reader(f"model:{bee.bee}", "training"),
    )


def _write(context: StepContext, bee: BeeSpec, table: TrainingTable, kept: list[int], new_rows: int | None) -> None:
    from worker.steps.tables import Rows, write_rows

    types = {item.name: item.type for item in context.ports.features.definitions()}
    facts = {
        "snapshotId": table.snapshot_id,
        "definitions": dict(table.definitions),
        "types": {name: types[name] for name in table.columns if name in types},
        "asOf": to_text(as_of(context.run)),
        "window": [to_text(_start(as_of(context.run), _window(context, bee))), to_text(as_of(context.run))],
        "newRows": new_rows,
    }
    rows = Rows(
        entity_ids=list(table.entity_ids),
        times=list(table.times),
        columns={name: list(values) for name, values in table.columns.items()},
        facts=facts,
    ).take(kept)
    path = context.outputs["rows"]
    write_rows(path, rows)
    metadata = {"rows": len(kept), "sha256": sha256_of(path), "snapshotId": table.snapshot_id}
    describe(path, metadata)
    lineage = {
        "rowsSha256": metadata["sha256"],
        "snapshotId": table.snapshot_id,
        "window": facts["window"],
        # Those that were read, which may be newer than those that held when the run was asked for.
        "definitions": facts["definitions"],
    }
    outcome.record(context, STAGE, lineage=lineage, artifacts=[outcome.artifact("rows", DATASET, path, metadata)])


def _window(context: StepContext, bee: BeeSpec) -> timedelta:
    window: timedelta = context.config.window or bee.window
    return window


def _start(end: datetime, window: timedelta) -> datetime:
    """Return the beginning of the window that ends at `end`; time itself begins with the year 1."""
    first = datetime.min.replace(tzinfo=UTC)
    return end - window if end - first > window else first


STEP = StepType(name="data_collection", config=CollectConfig, inputs={}, outputs={"rows": DATASET}, body=collect)

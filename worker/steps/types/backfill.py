"""Import a file's columns as features through the feature store's port; running it again changes nothing."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.bee import Value
from worker.errors import Rejected
from worker.steps import outcome
from worker.steps.files import describe, local_path, uri_of, write_json
from worker.steps.frozen import bee_of
from worker.steps.kinds import ARTIFACT, METRICS
from worker.steps.step import StepContext, StepType

if TYPE_CHECKING:
    from worker.features.importing import ImportReport

STAGE = "backfill"
REJECTS = "rejects.jsonl"
#: Names the directories that may be imported from; without it only `imports` below the data directory is.
DIRECTORIES = "COLONY_IMPORT_DIRS"


class BackfillConfig(Value):
    """The file, and which column is what.

    Attributes:
        file: absolute path or gs:// URI of CSV or JSON Lines (also .gz) or Parquet, where the step runs; below one of
            the directories that may be imported from.
        entity: whose features these are; the bee's own unless said otherwise.
        known_at: the column that says when values became known; without it they are known from now on.
        columns: the features to take; every further column unless said otherwise.
        define: whether to define what is not yet a feature, by the type of what stands in the column.
    """

    file: str
    entity: str | None = None
    entity_id: str
    event_time: str
    known_at: str | None = None
    columns: tuple[str, ...] | None = None
    define: bool = False


def backfill(context: StepContext) -> None:
    """Store the file's values and report how many were read, new and refused.

    Raises:
        Rejected: the file or a column cannot be used, or not one row could be taken.
        TryLater: the store cannot be used now.
    """
    config: BackfillConfig = context.config
    outcome.begin(context)
    path = _permitted(config.file, os.environ, field="config.file")
    if not path.is_file():
        mend = "give the absolute path (or gs:// URI) of a file that the step can read"
        raise Rejected(f"{config.file!r} is no file here", field="config.file", mend=mend)
    from worker.features.importing import ImportSpec, import_file

    spec = ImportSpec(
        entity=config.entity or bee_of(context).entity,
        entity_id=config.entity_id,
        event_time=config.event_time,
        known_at=config.known_at,
        columns=config.columns,
    )
    rejects = context.output_dir / REJECTS
    store = context.ports.features
    report = import_file(store, path, spec, define=config.define, progress=lambda _: None, rejects=rejects)
    if report.rejected and not report.values:
        first = rejects.read_text(encoding="utf-8").partition("\n")[0]
        raise Rejected(f"none of {report.rejected:,} rows could be taken; the first: {first}", field="config.file")
    _record(context, config, report)


def check(config: BackfillConfig) -> None:
    """Refuse, when a run is asked for, a file that the step would refuse. Raises Rejected."""
    _permitted(config.file, os.environ, field="file")


def directories(environment: Mapping[str, str]) -> list[Path]:
    """Return where files may be imported from: whoever may trigger could else have any file read and be told of it."""
    words = [word.strip() for word in environment.get(DIRECTORIES, "").split(",") if word.strip()]
    home = Path(environment.get("COLONY_HOME") or ".colony").absolute()
    return [local_path(word) for word in words] or [home / "imports"]


def _permitted(file: str, environment: Mapping[str, str], *, field: str) -> Path:
    """Return the file's path, every link followed. Raises Rejected unless it lies below a permitted directory."""
    path = local_path(file)
    permitted = directories(environment)
    if "\0" in file or not path.is_absolute():
        mend = "give the absolute path (or gs:// URI) of a file that the step can read"
        raise Rejected(f"{file!r} is no absolute path", field=field, mend=mend)
    try:
        found = path.resolve()
        below = any(found.is_relative_to(directory.resolve()) for directory in permitted)
    except (OSError, RuntimeError) as error:
        raise Rejected(f"{file!r} cannot be followed: {error}", field=field, mend="give another path") from error
    if not below:
        where = ", ".join(uri_of(directory) for directory in permitted)
        mend = f"put it into {where}, or name its directory in {DIRECTORIES}"
        raise Rejected(f"{file!r} lies where nothing may be imported from", field=field, mend=mend)
    return found


def _record(context: StepContext, config: BackfillConfig, report: "ImportReport") -> None:
    counts: dict[str, Any] = {"values": report.values, "new": report.new, "rejectedRows": report.rejected}
    write_json(context.outputs["report"], {"file": config.file, **counts})
    describe(context.outputs["report"], counts)
    artifacts = [outcome.artifact("report", METRICS, context.outputs["report"], counts)]
    if report.rejected:
        artifacts.append(outcome.artifact("rejects", ARTIFACT, context.output_dir / REJECTS, {}))
    outcome.record(
        context,
        STAGE,
        verdict="completed",
        reason=f"{report.values:,} values read, {report.new:,} new, {report.rejected:,} rows rejected",
        metrics=counts,
        artifacts=artifacts,
    )


STEP = StepType(
    name="backfill", config=BackfillConfig, inputs={}, outputs={"report": METRICS}, body=backfill, check=check
)

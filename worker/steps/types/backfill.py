"""Import a file's columns as features through the feature store's port; running it again changes nothing."""

from typing import Any

from worker.bee import Value
from worker.errors import Rejected
from worker.features.importing import ImportReport, ImportSpec, import_file
from worker.steps import outcome
from worker.steps.files import describe, local_path, write_json
from worker.steps.frozen import bee_of
from worker.steps.kinds import ARTIFACT, METRICS
from worker.steps.step import StepContext, StepType

STAGE = "backfill"
REJECTS = "rejects.jsonl"


class BackfillConfig(Value):
    """The file, and which column is what.

    Attributes:
        file: absolute path or gs:// URI of CSV or JSON Lines (also .gz) or Parquet, where the step runs.
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
    path = local_path(config.file)
    if not path.is_absolute() or not path.is_file():
        mend = "give the absolute path (or gs:// URI) of a file that the step can read"
        raise Rejected(f"{config.file!r} is no file here", field="config.file", mend=mend)
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


def _record(context: StepContext, config: BackfillConfig, report: ImportReport) -> None:
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


STEP = StepType(name="backfill", config=BackfillConfig, inputs={}, outputs={"report": METRICS}, body=backfill)

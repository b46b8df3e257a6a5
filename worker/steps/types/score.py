"""Score the entities of the last window with the model in production, and leave the scores as Parquet."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from worker.bee import BeeSpec, Duration, Value
from worker.clock import to_text
from worker.errors import Rejected
from worker.features.port import LabelWindow, Reader, TrainingRequest, TrainingTable
from worker.models.port import Predictor
from worker.steps import outcome
from worker.steps.files import describe, sha256_of
from worker.steps.frozen import Champion, as_of, bee_of, champion_of
from worker.steps.kinds import DATASET
from worker.steps.step import StepContext, StepType

STAGE = "score"


class ScoreConfig(Value):
    """Which entities to score.

    Attributes:
        window: how far back an entity must have been observed; the bee's own unless said otherwise.
        observed: the feature of the bee's entity whose values count as observations; its first one unless said.
    """

    window: Duration | None = Field(default=None, gt=timedelta(0))
    observed: str | None = None


def score(context: StepContext) -> None:
    """Write one row per entity observed in [asOf - window, asOf): its features as of asOf, scored by the champion.

    Raises:
        Rejected: the bee has no model in production, or no feature says which entities there are.
    """
    bee, champion, end = bee_of(context), champion_of(context.run), as_of(context.run)
    outcome.begin(context)
    if champion is None:
        mend = f"train one: `colony trigger auto-retrain --bee {bee.bee} --wait`"
        raise Rejected(f"{bee.bee} has no model in production to score with", field="run.champion", mend=mend)
    model = context.ports.models.load(context.ports.artifacts.fetch(champion.artifact), champion.artifact.sha256)
    entities = _entities(context, bee, end)
    table = _features(context, bee, model, entities, end) if entities else None
    _write(context, champion, model, table)


def _entities(context: StepContext, bee: BeeSpec, end: datetime) -> list[str]:
    """Return the entities that were observed in the window, each once, in order of their ids."""
    window = context.config.window or bee.window
    label = LabelWindow(label=_observed(context, bee), start=end - window, end=end)
    request = TrainingRequest(entity=bee.entity, features=(), label=label, respect_known_at=bee.respect_known_at)
    reader = Reader(f"model:{bee.bee}", "batch")
    return sorted(set(context.ports.features.training_read(request, reader=reader).entity_ids))


def _observed(context: StepContext, bee: BeeSpec) -> str:
    if context.config.observed is not None:
        return str(context.config.observed)
    owners = {item.name: item.entity for item in context.ports.features.definitions()}
    own = [name for name in (*bee.features, *bee.entities.values(), bee.label) if owners.get(name) == bee.entity]
    if not own:
        reason = f"no feature of {bee.bee} belongs to its entity {bee.entity!r}"
        raise Rejected(reason, field="config.observed", mend="name the feature whose values show that an entity lives")
    return own[0]


def _features(
    context: StepContext, bee: BeeSpec, model: Predictor, entities: list[str], end: datetime
) -> TrainingTable:
    return context.ports.features.training_read(
        TrainingRequest(
            entity=bee.entity,
            features=tuple(model.metadata.get("features") or bee.features),
            entities=bee.entities,
            spine=tuple((entity, end) for entity in entities),
            respect_known_at=bee.respect_known_at,
        ),
        reader=Reader(f"model:{bee.bee}", "batch"),
    )


def _write(context: StepContext, champion: Champion, model: Predictor, table: TrainingTable | None) -> None:
    from worker.steps.tables import Rows, write_rows

    scored = model.predict(table.columns) if table else []
    lineage = {"version": champion.version, "snapshotId": table.snapshot_id if table else None}
    rows = Rows(
        entity_ids=list(table.entity_ids) if table else [],
        times=list(table.times) if table else [],
        columns={"prediction": [one.prediction for one in scored], "score": [one.score for one in scored]},
        facts={**lineage, "types": {"score": "number"}, "asOf": to_text(as_of(context.run))},
    )
    path = context.outputs["scores"]
    write_rows(path, rows)
    metadata: dict[str, Any] = {**lineage, "rows": len(scored), "sha256": sha256_of(path)}
    describe(path, metadata)
    outcome.record(
        context,
        STAGE,
        verdict="completed",
        reason=f"{len(scored):,} entities scored with version {champion.version}",
        champion={"version": champion.version},
        metrics={"rows": len(scored)},
        lineage=lineage,
        artifacts=[outcome.artifact("scores", DATASET, path, metadata)],
    )


STEP = StepType(name="score", config=ScoreConfig, inputs={}, outputs={"scores": DATASET}, body=score)

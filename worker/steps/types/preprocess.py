"""Split the rows by time into a training part and a hold-out that neither model has seen, and profile the columns."""

from pydantic import Field

from worker.bee import Value
from worker.clock import to_text
from worker.steps.files import describe
from worker.steps.frozen import bee_of, champion_of
from worker.steps.kinds import DATASET
from worker.steps.marker import stop
from worker.steps.step import StepContext, StepType

STAGE = "preprocess"


class PreprocessConfig(Value):
    """The hold-out's share of the rows; the bee's own (`gate.holdout`) unless said otherwise."""

    holdout: float | None = Field(default=None, gt=0, lt=1)


def preprocess(context: StepContext) -> None:
    """Write `train` (the older rows) and `holdout` (the newest), or stop the run if too few rows are unseen."""
    from worker.steps.profile import profile
    from worker.steps.split import split_by_time
    from worker.steps.tables import read_rows, write_rows

    bee, champion = bee_of(context), champion_of(context.run)
    rows = read_rows(context.inputs["rows"])
    if champion is not None and champion.trained_until is None:
        stop(context, STAGE, "no unseen rows: it is not known until when the champion was trained")
        return
    seen_until = champion.trained_until if champion else None
    train, holdout = split_by_time(rows, context.config.holdout or bee.gate.holdout, seen_until=seen_until)
    if not holdout.times:
        known = f" later than {to_text(seen_until)}, until when the champion was trained" if seen_until else ""
        stop(context, STAGE, f"no unseen rows: the hold-out has none{known}")
        return
    if not train.times or len(holdout.times) < bee.gate.min_rows:
        stop(context, STAGE, f"too few rows: {len(holdout.times)} in the hold-out, {bee.gate.min_rows} needed")
        return
    for name, part in (("train", train), ("holdout", holdout)):
        write_rows(context.outputs[name], part)
        span = {"rows": len(part.times), "start": to_text(part.times[0]), "end": to_text(part.times[-1])}
        describe(context.outputs[name], {**span, "columns": profile(part)})


STEP = StepType(
    name="data_preprocessing",
    config=PreprocessConfig,
    inputs={"rows": DATASET},
    outputs={"train": DATASET, "holdout": DATASET},
    body=preprocess,
)

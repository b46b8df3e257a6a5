"""Split the rows by time into a training part and a hold-out that neither model has seen, and profile the columns."""

from typing import Any

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
    """How the rows are split.

    Attributes:
        holdout: its share of the rows; the bee's own (`gate.holdout`) unless said otherwise.
        for_comparison: models are compared with each other, so that the champion may have seen the hold-out (which is
            told then); prompts all judge, since nothing learns from them.
    """

    holdout: float | None = Field(default=None, gt=0, lt=1)
    for_comparison: bool = False


def preprocess(context: StepContext) -> None:
    """Write `train` (the older rows) and `holdout` (the newest), or stop the run if too few rows are unseen."""
    from worker.steps.profile import profile
    from worker.steps.tables import read_rows, write_rows

    parts = _split(context, read_rows(context.inputs["rows"]))
    if isinstance(parts, str):
        stop(context, STAGE, parts)
        return
    train, holdout = parts
    for name, part in (("train", train), ("holdout", holdout)):
        write_rows(context.outputs[name], part)
        times = [to_text(moment) for moment in part.times]
        span = {"rows": len(times), "start": min(times, default=None), "end": max(times, default=None)}
        describe(context.outputs[name], {**span, "columns": profile(part)})


def _split(context: StepContext, rows: Any) -> Any:
    """Return both parts, or why there are none."""
    from worker.steps.split import split_by_hash, split_by_time

    bee, compared = bee_of(context), context.config.for_comparison
    share = context.config.holdout or bee.gate.holdout
    if bee.task == "generation":
        train, holdout = split_by_hash(rows, 1.0 if compared else share)
        enough = compared or len(holdout) >= bee.gate.min_rows
        return (train, holdout) if enough else f"too few prompts: {len(holdout)} judge, {bee.gate.min_rows} needed"
    champion = None if compared else champion_of(context.run)
    if champion is not None and champion.trained_until is None:
        return "no unseen rows: it is not known until when the champion was trained"
    seen_until = champion.trained_until if champion else None
    train, holdout = split_by_time(rows, share, seen_until=seen_until)
    if not holdout.times:
        known = f" later than {to_text(seen_until)}, until when the champion was trained" if seen_until else ""
        return f"no unseen rows: the hold-out has none{known}"
    if not train.times or len(holdout) < bee.gate.min_rows:
        return f"too few rows: {len(holdout)} in the hold-out, {bee.gate.min_rows} needed"
    return train, holdout


STEP = StepType(
    name="data_preprocessing",
    config=PreprocessConfig,
    inputs={"rows": DATASET},
    outputs={"train": DATASET, "holdout": DATASET},
    body=preprocess,
)

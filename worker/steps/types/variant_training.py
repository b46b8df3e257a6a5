"""Train one variant of an experiment and score it on the hold-out; a variant that fails is a result like any other."""

import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from worker.bee import Value
from worker.clock import to_text
from worker.errors import ColonyError, Rejected, TryLater
from worker.steps.files import describe, read_json, write_json
from worker.steps.frozen import bee_of, seed_of
from worker.steps.kinds import ARTIFACT, DATASET
from worker.steps.step import StepContext, StepType

_RESULT, _MODEL = "result.json", "model"


class Variant(Value):
    """One contender, as the step type `variants` gives it."""

    name: str
    settings: dict[str, Any]


class VariantTrainingConfig(Value):
    """What is trained.

    Attributes:
        variant: its name and its settings in the trainer's own form.
        folds: for a variant whose algorithm is `auto`.
    """

    variant: Variant
    folds: int = Field(default=3, ge=1, le=20)


def train_variant(context: StepContext) -> None:
    """Write a directory with `result.json`, `{name, settings, status, error, startedAt, …}`, and the model.

    Raises:
        TryLater: what it needs is away; the last attempt's reason becomes the result.
    """
    directory = context.outputs["trained"]
    directory.mkdir(parents=True, exist_ok=True)
    begun = {**context.config.variant.model_dump(), "startedAt": to_text(datetime.now(UTC)), "cpuSeconds": None}
    write_json(directory / _RESULT, begun)
    spent = time.process_time()
    try:
        result = {"status": "succeeded", "error": None, **_trained(context, directory / _MODEL)}
    except TryLater:
        raise
    except ColonyError as error:
        result = {"status": "failed", "error": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever happens to one variant is its own result
        traceback.print_exc()
        result = {"status": "failed", "error": f"{type(error).__name__}: {error}"}
    _end(context, begun | result | {"cpuSeconds": round(time.process_time() - spent, 3)})


def failed(context: StepContext, reason: str) -> None:
    """Write the result of a variant whose process took too long, died, or found what it needs away to the last."""
    path = context.outputs["trained"] / _RESULT
    begun = read_json(path) if path.exists() else context.config.variant.model_dump()
    _end(context, begun | {"status": "failed", "error": reason.removeprefix("TryLater: ")})


def results_in(directories: Sequence[Path]) -> list[dict[str, Any]]:
    """Return each variant's result, in the order of the variants."""
    return [read_json(directory / _RESULT) for directory in directories]


def model_path(directories: Sequence[Path], name: str) -> Path:
    """Return where a variant's model is."""
    return next(one / _MODEL for one in directories if read_json(one / _RESULT)["name"] == name)


def _end(context: StepContext, result: Mapping[str, Any]) -> None:
    directory = context.outputs["trained"]
    try:
        write_json(directory / _RESULT, {**result, "endedAt": to_text(datetime.now(UTC))})
    except (TypeError, ValueError) as error:
        _end(context, {**_told(result), "status": "failed", "error": f"its result is no JSON: {error}"})
        return
    describe(directory, _told(result))


def _told(result: Mapping[str, Any]) -> dict[str, Any]:
    names = ("name", "settings", "status", "error", "startedAt", "cpuSeconds")
    return {name: result[name] for name in names if name in result}


def _trained(context: StepContext, path: Path) -> dict[str, Any]:
    """Return what is told of a variant that could be trained and scored."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

    from worker.steps.comparison import score
    from worker.steps.tables import read_rows
    from worker.steps.trainers.port import Job, Unlearnable, Wanted, trainer_of

    bee, variant = bee_of(context), context.config.variant
    trainer, job = trainer_of(bee), Job(bee, seed_of(context.run), context.ports.models)
    train, holdout = read_rows(context.inputs["train"]), read_rows(context.inputs["holdout"])
    folds = context.config.folds if variant.settings.get("algorithm") == "auto" else 0
    # Each variant computes on one thread: as many as there are processors run at the same time.
    with threadpool_limits(limits=1):
        began = time.monotonic()
        trained = trainer.train(train, Wanted(variant.settings, f"variant {variant.name}", folds), path, job)
        if isinstance(trained, Unlearnable):
            raise Rejected(trained.reason)
        fitted = time.monotonic()
        model = trainer.load(path, trained.sha256, job)
        scores = score(model, holdout.columns, bee)
        scored = time.monotonic()
    return {
        "sha256": trained.sha256,
        "bytes": path.stat().st_size,
        "metadata": dict(trained.metadata),
        "simplicity": list(trained.simplicity),
        "trainSeconds": round(fitted - began, 3),
        "scoreSeconds": round(scored - fitted, 3),
        "scores": {
            "truth": scores.truth.tolist(),
            "predicted": scores.predicted.tolist(),
            "score": None if scores.score is None else scores.score.tolist(),
        },
        "spent": dict(getattr(model, "spent", {})),
        "answers": list(getattr(model, "answers", ())),
    }


STEP = StepType(
    name="variant_training",
    config=VariantTrainingConfig,
    inputs={"train": DATASET, "holdout": DATASET},
    outputs={"trained": ARTIFACT},
    body=train_variant,
    failed=failed,
)

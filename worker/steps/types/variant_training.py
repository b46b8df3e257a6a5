"""Train every variant at the same time, each in its own process, and score all of them on the same hold-out."""

import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from worker.bee import BeeSpec, Duration, Value, parse_duration
from worker.errors import Rejected
from worker.steps import outcome
from worker.steps.files import describe, read_json, write_json
from worker.steps.frozen import bee_of, seed_of
from worker.steps.kinds import ARTIFACT, DATASET
from worker.steps.step import StepContext, StepType

RESULTS = "variants.json"
MODEL_FILE = "model"
_AT_LEAST = {"tabular": 2, "generation": 4}


class VariantTrainingConfig(Value):
    """How the variants are trained.

    Attributes:
        parallel: how many at the same time; as many as there are processors unless said otherwise.
        timeout: after how long one is ended, as failed.
        folds: for a variant whose algorithm is `auto`.
    """

    parallel: int | None = Field(default=None, ge=1, le=64)
    timeout: Duration = parse_duration("1h")
    folds: int = Field(default=3, ge=1, le=20)


def train_variants(context: StepContext) -> None:
    """Write a directory: `variants.json` with each one's result, and the models; a failed variant is a result.

    Raises:
        Rejected: every variant failed.
    """
    from worker.steps.parallel import do_all
    from worker.steps.tables import read_rows
    from worker.steps.trainers.port import Job

    bee, config, directory = bee_of(context), context.config, context.outputs["trained"]
    variants = read_json(context.inputs["variants"])["variants"]
    rows = read_rows(context.inputs["train"]), read_rows(context.inputs["holdout"])
    job = Job(bee, seed_of(context.run), context.ports.models)
    pieces = [partial(_one, item, rows, job, config.folds) for item in variants]
    parallel = config.parallel or max(_AT_LEAST[bee.trainer.type], _processors())
    done = do_all(pieces, directory, parallel=parallel, timeout_s=config.timeout.total_seconds())
    results = [item | result for item, result in zip(variants, done, strict=True)]
    write_json(directory / RESULTS, {"variants": results})
    told = [{"name": item["name"], "status": item["status"], "error": item["error"]} for item in results]
    describe(directory, {"variants": told})
    _count(context, bee, results)
    if all(item["status"] == "failed" for item in results):
        reasons = "; ".join(f"{item['name']}: {item['error']}" for item in results[:5])
        raise Rejected(
            f"all {len(results)} variants failed: {reasons}", field="variants", mend="correct their settings"
        )


def _processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _one(variant: Mapping[str, Any], rows: Any, job: Any, folds: int, directory: Path) -> dict[str, Any]:
    """Train and score one variant, in its own process."""
    from worker.steps.comparison import score
    from worker.steps.trainers.port import Unlearnable, Wanted, trainer_of

    trainer, path = trainer_of(job.bee), directory / MODEL_FILE
    train, holdout = rows
    settings = variant["settings"]
    auto = settings.get("algorithm") == "auto"
    began = time.monotonic()
    wanted = Wanted(settings, f"variant {variant['name']}", folds if auto else 0)
    trained = trainer.train(train, wanted, path, job)
    if isinstance(trained, Unlearnable):
        raise Rejected(trained.reason)
    fitted = time.monotonic()
    model = trainer.load(path, trained.sha256, job)
    scores = score(model, holdout.columns, job.bee)
    return {
        "sha256": trained.sha256,
        "bytes": path.stat().st_size,
        "metadata": dict(trained.metadata),
        "simplicity": list(trained.simplicity),
        "trainSeconds": round(fitted - began, 3),
        "scoreSeconds": round(time.monotonic() - fitted, 3),
        "scores": {
            "truth": scores.truth.tolist(),
            "predicted": scores.predicted.tolist(),
            "score": None if scores.score is None else scores.score.tolist(),
        },
        "spent": dict(getattr(model, "spent", {})),
        "answers": list(getattr(model, "answers", ())),
    }


def _count(context: StepContext, bee: BeeSpec, results: list[dict[str, Any]]) -> None:
    if bee.task == "generation":
        outcome.add_spend(context, "variants", [item.get("spent") or {} for item in results])


STEP = StepType(
    name="variant_training",
    config=VariantTrainingConfig,
    inputs={"variants": ARTIFACT, "train": DATASET, "holdout": DATASET},
    outputs={"trained": ARTIFACT},
    body=train_variants,
)

"""Train the challenger: candidates chosen by time-ordered validation, the best fitted on the whole training part."""

from typing import Any, Literal

from pydantic import Field

from worker.bee import Value
from worker.steps.files import describe, write_json
from worker.steps.frozen import bee_of, seed_of
from worker.steps.kinds import DATASET, METRICS, MODEL
from worker.steps.marker import stop
from worker.steps.step import StepContext, StepType

STAGE = "train"


class TrainConfig(Value):
    """Overrides of the bee's trainer, and how candidates are validated."""

    algorithm: Literal["auto", "logistic_regression", "random_forest", "hist_gradient_boosting", "ridge"] | None = None
    hyperparameters: dict[str, Any] | Literal["from_best_experiment"] | None = None
    folds: int = Field(default=3, ge=1, le=20)


def train(context: StepContext) -> None:
    """Write the fitted model and the report of the choice, or stop the run if the rows cannot teach anything."""
    from worker.steps.fitting import Plan, Unlearnable, fit_best
    from worker.steps.tables import read_rows

    bee, config = bee_of(context), context.config
    plan = Plan(
        algorithm=config.algorithm or bee.trainer.algorithm,
        hyperparameters=bee.trainer.hyperparameters if config.hyperparameters is None else config.hyperparameters,
        folds=config.folds,
        seed=seed_of(context.run),
    )
    fitted = fit_best(read_rows(context.inputs["train"]), bee, plan)
    if isinstance(fitted, Unlearnable):
        stop(context, STAGE, fitted.reason)
        return
    sha256 = context.ports.models.dump(fitted.estimator, fitted.metadata, context.outputs["model"])
    write_json(context.outputs["report"], fitted.report)
    told = ("algorithm", "hyperparameters", "trainedUntil", "snapshotId")
    describe(context.outputs["model"], {"sha256": sha256, **{name: fitted.metadata[name] for name in told}})
    describe(context.outputs["report"], fitted.report)


STEP = StepType(
    name="training",
    config=TrainConfig,
    inputs={"train": DATASET},
    outputs={"model": MODEL, "report": METRICS},
    body=train,
)

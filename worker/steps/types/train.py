"""Train the challenger: candidates chosen by time-ordered validation, the best fitted on the whole training part."""

from typing import Any, Literal

from pydantic import Field

from worker.bee import Value
from worker.steps import outcome
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
    """Write the model and the report of the choice, or stop the run if the rows cannot teach anything."""
    from worker.steps.tables import read_rows
    from worker.steps.trainers.port import Job, Unlearnable, trainer_of
    from worker.steps.trainers.wanted import Asked, wanted

    bee, config = bee_of(context), context.config
    asked = Asked(
        algorithm=config.algorithm or bee.trainer.algorithm,
        hyperparameters=bee.trainer.hyperparameters if config.hyperparameters is None else config.hyperparameters,
        folds=config.folds,
    )
    job = Job(bee, seed_of(context.run), context.ports.models)
    rows, path = read_rows(context.inputs["train"]), context.outputs["model"]
    trained = trainer_of(bee).train(rows, wanted(asked, bee, context.run), path, job)
    if isinstance(trained, Unlearnable):
        stop(context, STAGE, trained.reason)
        return
    trials = trained.report.get("trials")
    if trials:
        outcome.add_spend(context, "search", [trial["spent"] for trial in trials])
    write_json(context.outputs["report"], trained.report)
    told = ("algorithm", "hyperparameters", "hyperparametersFrom", "trainedUntil", "snapshotId")
    describe(path, {"sha256": trained.sha256, **{name: trained.metadata[name] for name in told}})
    describe(context.outputs["report"], trained.report)


STEP = StepType(
    name="training",
    config=TrainConfig,
    inputs={"train": DATASET},
    outputs={"model": MODEL, "report": METRICS},
    body=train,
)

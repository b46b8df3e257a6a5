"""Keep the challenger for good: the very file that was scored, or its refit if the bee asks for one."""

from typing import Any

from worker.bee import Value
from worker.errors import Rejected
from worker.models.gate import judge
from worker.steps import outcome
from worker.steps.files import describe, read_json, sha256_of, write_json
from worker.steps.frozen import bee_of, seed_of
from worker.steps.kinds import ARTIFACT, DATASET, METRICS, MODEL
from worker.steps.step import StepContext, StepType

STAGE = "register"


class RegisterConfig(Value):
    """Nothing to set: what is registered follows from the evaluation and the bee."""


def register(context: StepContext) -> None:
    """Put the model into the artifact store; a refused challenger is kept, too, as refused."""
    bee, path = bee_of(context), context.inputs["model"]
    evaluation = read_json(context.inputs["evaluation"])
    scored = evaluation["challenger"]["sha256"]
    if sha256_of(path) != scored:
        raise Rejected("the model file is not the one that was scored", field="model", mend="run the pipeline again")
    verdict = judge(evaluation["gate"], bee.gate, task=bee.task)
    changed: dict[str, Any] = {}
    if bee.trainer.refit and verdict.passed and bee.task != "generation":
        path, changed = _refit(context, scored)
    stored = context.ports.artifacts.put(path)
    scored_model = {name: value for name, value in evaluation["challenger"].items() if name != "answers"}
    challenger = scored_model | changed | {"uri": stored.uri, "sha256": stored.sha256}
    lineage = evaluation["lineage"] | {"refit": bool(changed), "scoredSha256": scored}
    word, reason = ("registered", "") if verdict.passed else ("rejected", verdict.reason)
    registration = {"verdict": word, "reason": reason, "challenger": challenger, "lineage": lineage}
    write_json(context.outputs["registration"], registration)
    describe(context.outputs["registration"], {"uri": stored.uri, "sha256": stored.sha256})
    model = outcome.artifact("model", MODEL, path, {"sha256": stored.sha256}) | {"uri": stored.uri}
    outcome.record(context, STAGE, **registration, artifacts=[model])


def _refit(context: StepContext, scored: str) -> tuple[Any, dict[str, Any]]:
    """Fit the scored pipeline anew on the whole window; the lineage says that this is not what was scored."""
    from worker.steps.fitting import refit
    from worker.steps.tables import read_rows

    model = context.ports.models.load(context.inputs["model"], scored)
    parts = [read_rows(context.inputs[name]) for name in ("train", "holdout")]
    fitted = refit(model.metadata, parts[0].followed_by(parts[1]), bee_of(context), seed=seed_of(context.run))
    path = context.outputs["registration"].with_name("refit-model")
    context.ports.models.dump(fitted.estimator, fitted.metadata, path)
    return path, {"trainedUntil": fitted.metadata["trainedUntil"]}


STEP = StepType(
    name="registration",
    config=RegisterConfig,
    inputs={"model": MODEL, "evaluation": METRICS, "train": DATASET, "holdout": DATASET},
    outputs={"registration": ARTIFACT},
    body=register,
)

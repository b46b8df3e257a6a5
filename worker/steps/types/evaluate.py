"""Score challenger and champion on the same unseen rows, and write the numbers that the gate judges."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from worker.bee import Value
from worker.models.gate import judge
from worker.models.port import Artifact
from worker.steps import outcome
from worker.steps.files import describe, sha256_of, uri_of, write_json
from worker.steps.frozen import bee_of, champion_of, seed_of
from worker.steps.kinds import DATASET, METRICS, MODEL
from worker.steps.step import StepContext, StepType

STAGE = "evaluate"


class EvaluateConfig(Value):
    """How often to resample; the bee's own (`gate.resamples`) unless said otherwise."""

    resamples: int | None = Field(default=None, ge=100, le=100_000)


def evaluate(context: StepContext) -> dict[str, Any]:
    """Write the evaluation; without a champion the opponent is the best constant prediction.

    Returns:
        `better`: whether the bee's gate lets the challenger pass.
    """
    from worker.steps.comparison import Opponent, compare
    from worker.steps.tables import read_rows
    from worker.steps.trainers.port import Job, trainer_of

    bee, champion, path = bee_of(context), champion_of(context.run), context.inputs["model"]
    sha256 = sha256_of(path)
    trainer, job = trainer_of(bee), Job(bee, seed_of(context.run), context.ports.models)
    challenger = trainer.load(path, sha256, job)
    opponent = None
    if champion is not None:
        stored = context.ports.artifacts.fetch(champion.artifact)
        model = trainer.load(stored, champion.artifact.sha256, job)
        opponent = Opponent(model, champion.trained_until)
    resamples = context.config.resamples or bee.gate.resamples
    rows = read_rows(context.inputs["holdout"])
    evaluation = compare(challenger, opponent, rows, bee, resamples=resamples, seed=seed_of(context.run))
    evaluation["challenger"] |= {"uri": uri_of(path), "sha256": sha256}
    if champion is not None:
        evaluation["champion"] |= {"version": champion.version, **_where(champion.artifact)}
    _spend(context, evaluation, {"challenger": challenger, "champion": opponent.predictor if opponent else None})
    write_json(context.outputs["evaluation"], evaluation)
    describe(context.outputs["evaluation"], {"metrics": evaluation["challenger"]["metrics"]})
    judged = judge(evaluation["gate"], bee.gate, task=bee.task)
    # The steps after this one may be under the condition that it is better: then this is the run's verdict.
    _record(context, evaluation, {} if judged.passed else {"verdict": "rejected", "reason": judged.reason})
    return {"better": judged.passed}


def _spend(context: StepContext, evaluation: outcome.Json, models: Mapping[str, Any]) -> None:
    """Keep the answers of models that generate, and what they took."""
    for name, model in models.items():
        if hasattr(model, "spent"):
            outcome.add_spend(context, name, [model.spent])
            evaluation[name]["answers"] = model.answers


def _where(artifact: Artifact) -> dict[str, str]:
    return {"uri": artifact.uri, "sha256": artifact.sha256}


def _told(side: outcome.Json | None) -> outcome.Json | None:
    return None if side is None else {name: value for name, value in side.items() if name != "answers"}


def _record(context: StepContext, evaluation: outcome.Json, verdict: outcome.Json) -> None:
    path = context.outputs["evaluation"]
    outcome.record(
        context,
        STAGE,
        challenger=_told(evaluation["challenger"]),
        champion=_told(evaluation["champion"]),
        gate=evaluation["gate"],
        metrics=evaluation["challenger"]["metrics"],
        lineage=evaluation["lineage"],
        artifacts=[outcome.artifact("evaluation", METRICS, path, {})],
        **verdict,
    )


STEP = StepType(
    name="evaluation",
    config=EvaluateConfig,
    inputs={"model": MODEL, "holdout": DATASET},
    outputs={"evaluation": METRICS},
    body=evaluate,
    values={"better": "boolean"},
)

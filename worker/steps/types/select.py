"""Keep an experiment's winner with its parameters, for retraining to use; it is registered and never deployed here."""

from collections.abc import Mapping
from typing import Any

from worker.bee import Value
from worker.errors import Rejected
from worker.steps import outcome
from worker.steps.files import describe, read_json, sha256_of, write_json
from worker.steps.frozen import bee_of
from worker.steps.kinds import ARTIFACT, METRICS, MODEL, list_of
from worker.steps.step import StepContext, StepType
from worker.steps.types.variant_training import model_path

STAGE = "select"


class SelectionConfig(Value):
    """Nothing to set: the comparison says who won."""


def select(context: StepContext) -> None:
    """Put the winner's model into the artifact store; one that is surely worse than production is refused."""
    bee, comparison = bee_of(context), read_json(context.inputs["comparison"])
    evaluation = comparison["evaluation"]
    path = model_path(context.lists["trained"], comparison["winner"])
    if sha256_of(path) != evaluation["challenger"]["sha256"]:
        raise Rejected("the model file is not the one that was scored", field="model", mend="run the pipeline again")
    stored = context.ports.artifacts.put(path)
    challenger = evaluation["challenger"] | {"uri": stored.uri, "sha256": stored.sha256}
    reason = _refusal(comparison, evaluation["gate"])
    experiment = _experiment(context, comparison, prompts=bee.task == "generation")
    registration = {
        "verdict": "rejected" if reason else "registered",
        "reason": reason or comparison["words"],
        "challenger": challenger,
        "lineage": evaluation["lineage"] | {"experiment": experiment, "scoredSha256": stored.sha256},
    }
    write_json(context.outputs["registration"], registration)
    describe(context.outputs["registration"], {"uri": stored.uri, "sha256": stored.sha256})
    model = outcome.artifact("model", MODEL, path, {"sha256": stored.sha256}) | {"uri": stored.uri}
    outcome.record(context, STAGE, **registration, artifacts=[model])


def _refusal(comparison: Mapping[str, Any], gate: Mapping[str, Any]) -> str:
    """Return why the winner is not to be used, empty if it may be; a champion that has seen the rows refutes nobody."""
    reference, upper = comparison["reference"], gate["upper"]
    if reference["seen"] or upper is None or upper >= 0:
        return ""
    version = f" (version {reference['version']})" if reference["version"] else ""
    lower = "undefined" if gate["lower"] is None else f"{gate['lower']:.4g}"
    interval = f"{gate['confidence']:.4g} interval of the difference {lower} to {upper:.4g}"
    return f"no variant holds up: {comparison['winner']} is worse than the {reference['kind']}{version}, {interval}"


def _experiment(context: StepContext, comparison: Mapping[str, Any], *, prompts: bool) -> dict[str, Any]:
    """Return what the version's lineage keeps of the experiment."""
    variants = comparison["variants"]
    winner = next(item for item in variants if item["name"] == comparison["winner"])
    compared = [item for item in variants if item["status"] == "compared"]
    told = {
        "run": context.run.get("id"),
        "variant": winner["name"],
        "algorithm": winner["algorithm"],
        "hyperparameters": winner["hyperparameters"],
        "words": comparison["words"],
        "chosenAmong": len(compared),
        "variants": [{name: item.get(name) for name in ("name", "status", "value", "error")} for item in variants],
    }
    chosen_on = {"chosenOn": [item["id"] for item in winner["answers"]]}
    return told | (chosen_on if prompts else {"chosenUntil": comparison["holdoutEnd"]})


STEP = StepType(
    name="selection",
    config=SelectionConfig,
    inputs={"trained": list_of(ARTIFACT), "comparison": METRICS},
    outputs={"registration": ARTIFACT},
    body=select,
)

"""Hand the challenger over as deployable if the gate lets it pass; the champion itself is never touched from here."""

from dataclasses import asdict

from worker.bee import Value
from worker.models.gate import judge
from worker.steps import outcome
from worker.steps.files import describe, read_json, write_json
from worker.steps.frozen import bee_of
from worker.steps.kinds import ARTIFACT, METRICS
from worker.steps.step import StepContext, StepType

STAGE = "deploy"


class DeployConfig(Value):
    """Nothing to set: the bee's gate decides, here and again when the run is settled."""


def deploy(context: StepContext) -> None:
    """Write the gate's verdict, `deployable` or `rejected`, with each check and its reason."""
    bee = bee_of(context)
    evaluation = read_json(context.inputs["evaluation"])
    registration = read_json(context.inputs["registration"])
    judged = judge(evaluation["gate"], bee.gate, task=bee.task)
    verdict = "deployable" if judged.passed else "rejected"
    checks = [asdict(check) for check in judged.checks]
    decision = {"verdict": verdict, "reason": judged.reason, "checks": checks, "challenger": registration["challenger"]}
    write_json(context.outputs["deployment"], decision)
    describe(context.outputs["deployment"], {"verdict": verdict, "reason": judged.reason})
    outcome.record(
        context,
        STAGE,
        verdict=verdict,
        reason=judged.reason,
        challenger=registration["challenger"],
        lineage=registration["lineage"],
        checks=checks,
    )


STEP = StepType(
    name="deployment",
    config=DeployConfig,
    inputs={"registration": ARTIFACT, "evaluation": METRICS},
    outputs={"deployment": ARTIFACT},
    body=deploy,
    deploys=True,
)

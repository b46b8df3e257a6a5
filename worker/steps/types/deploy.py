"""Hand the challenger over as deployable if the gate lets it pass; the champion itself is never touched from here."""

from dataclasses import asdict

from worker.bee import Value
from worker.models.gate import judge
from worker.rollout_plan import RolloutSpec
from worker.steps import outcome
from worker.steps.files import describe, read_json, write_json
from worker.steps.frozen import bee_of
from worker.steps.kinds import ARTIFACT, METRICS
from worker.steps.step import StepContext, StepType

STAGE = "deploy"


class DeployConfig(Value):
    """The bee's gate decides, here and again when the run is settled; how it then goes into production may be told.

    Attributes:
        rollout: the plan, instead of the one in the bee's file.
    """

    rollout: RolloutSpec | None = None


def deploy(context: StepContext) -> None:
    """Write the gate's verdict, `deployable` or `rejected`, with each check and its reason."""
    bee = bee_of(context)
    evaluation = read_json(context.inputs["evaluation"])
    registration = read_json(context.inputs["registration"])
    judged = judge(evaluation["gate"], bee.gate, task=bee.task)
    verdict = "deployable" if judged.passed else "rejected"
    checks = [asdict(check) for check in judged.checks]
    decision = {"verdict": verdict, "reason": judged.reason, "checks": checks, "challenger": registration["challenger"]}
    plan: RolloutSpec | None = context.config.rollout
    told = {} if plan is None else {"rollout": plan.model_dump(mode="json", by_alias=True)}
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
        **told,
    )


STEP = StepType(
    name="deployment",
    config=DeployConfig,
    inputs={"registration": ARTIFACT, "evaluation": METRICS},
    outputs={"deployment": ARTIFACT},
    body=deploy,
    deploys=True,
)

"""Plan an A/B test: what it needs is computed from the history; it begins when the run is settled, not here."""

from worker.abtest.plan import AbPlan
from worker.bee import BeeSpec
from worker.errors import Rejected
from worker.steps import outcome
from worker.steps.files import describe, write_json
from worker.steps.frozen import Champion, as_of, bee_of, champion_of
from worker.steps.kinds import ARTIFACT, HTML
from worker.steps.step import StepContext, StepType

STAGE = "plan"


def plan(context: StepContext) -> None:
    """Write the plan with its forecast (a JSON object) and a report of it (HTML).

    Raises:
        Rejected: the bee has no model in production, the metric is none, or no sample could show the effect.
    """
    from worker.abtest.forecast import summary
    from worker.abtest.report import rendered
    from worker.abtest.shown import shown_plan

    bee, champion = bee_of(context), champion_of(context.run)
    outcome.begin(context)
    if champion is None:
        mend = f"train one: `colony trigger auto-retrain --bee {bee.bee} --wait`"
        raise Rejected(f"{bee.bee} has no model in production to go back to", field="run.champion", mend=mend)
    asked = _whole(context.config, bee)
    told = _forecast(context, asked, champion)
    words = summary(told, asked)
    write_json(context.outputs["plan"], {"plan": asked.as_json(), "forecast": told})
    describe(context.outputs["plan"], {"words": words})
    page = rendered(shown_plan(bee.bee, asked, told, champion.version))
    named = context.outputs["report"].with_name("report.html")
    for path in (context.outputs["report"], named):
        path.write_text(page, encoding="utf-8")
    outcome.record(
        context,
        STAGE,
        verdict="completed",
        reason=f"it needs {words}",
        champion={"version": champion.version},
        abTest={"plan": asked.as_json(), "forecast": told},
        artifacts=[
            outcome.artifact("plan", ARTIFACT, context.outputs["plan"], {}),
            outcome.artifact("report", HTML, named, {}),
        ],
    )


def _whole(asked: AbPlan, bee: BeeSpec) -> AbPlan:
    """Return the plan with what it leaves to the bee."""
    return asked if asked.slices else asked.model_copy(update={"slices": bee.gate.slices})


def _forecast(context: StepContext, asked: AbPlan, champion: Champion) -> dict[str, object]:
    from worker.abtest.forecast import forecast
    from worker.abtest.source import Source
    from worker.models.traffic import all_to

    bee, end = bee_of(context), as_of(context.run)
    ports, artifact = context.ports, champion.artifact

    def load(_version: str) -> object:
        return ports.models.load(ports.artifacts.fetch(artifact), artifact.sha256)

    source = Source(ports.features, bee, asked, all_to(champion.version), end - bee.window, load)  # type: ignore[arg-type]
    return forecast(source, champion.version, end, champion.trained_until).as_json()


STEP = StepType(name="ab_test", config=AbPlan, inputs={}, outputs={"plan": ARTIFACT, "report": HTML}, body=plan)

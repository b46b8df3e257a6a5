"""Compare trained variants side by side on the same hold-out, against each other and against production."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from worker.bee import Value
from worker.errors import Rejected
from worker.steps import outcome
from worker.steps.files import describe, sha256_of, uri_of, write_json
from worker.steps.frozen import bee_of, champion_of, seed_of
from worker.steps.kinds import ARTIFACT, DATASET, HTML, METRICS, list_of
from worker.steps.step import StepContext, StepType
from worker.steps.types.variant_training import model_path, results_in

STAGE = "compare"


class ComparisonConfig(Value):
    """How often to resample; the bee's own (`gate.resamples`) unless said otherwise."""

    resamples: int | None = Field(default=None, ge=100, le=100_000)


def compare_variants(context: StepContext) -> None:
    """Write the comparison (a JSON object) and the report (HTML).

    Raises:
        Rejected: every variant failed, or none has a defined value on the hold-out.
    """
    from worker.steps.report import rendered
    from worker.steps.standings import Reference, standings
    from worker.steps.tables import read_rows

    bee, directories = bee_of(context), context.lists["trained"]
    rows, results = read_rows(context.inputs["holdout"]), results_in(directories)
    _count(context, results, prompts=bee.task == "generation")
    champion = champion_of(context.run)
    reference = (
        None if champion is None else Reference(champion.version, champion.trained_until, _scored(context, rows))
    )
    resamples = context.config.resamples or bee.gate.resamples
    found = standings(results, reference, rows, bee, resamples=resamples, seed=seed_of(context.run))
    if found is None:
        mend = "look at the hold-out: it may lack a class"
        raise Rejected(f"{bee.metric} is undefined on it for every variant", field="holdout", mend=mend)
    comparison = {"run": context.run.get("id"), "bee": bee.bee, "asOf": context.run.get("asOf"), **found}
    comparison["evaluation"]["challenger"] |= _file(directories, found["winner"])
    write_json(context.outputs["comparison"], comparison)
    describe(context.outputs["comparison"], {"winner": found["winner"], "words": found["words"]})
    page = rendered(comparison)
    for path in (context.outputs["report"], _page(context)):
        path.write_text(page, encoding="utf-8")
    describe(context.outputs["report"], {"winner": found["winner"]})
    _record(context, comparison)


def _count(context: StepContext, results: Sequence[Mapping[str, Any]], *, prompts: bool) -> None:
    """Count what the variants took, and refuse to compare where all failed."""
    if prompts:
        outcome.add_spend(context, "variants", [item.get("spent") or {} for item in results])
    if all(item["status"] == "failed" for item in results):
        reasons = "; ".join(f"{item['name']}: {item['error']}" for item in results[:5])
        mend = "correct their settings" if results else "give variants"
        raise Rejected(f"all {len(results)} variants failed: {reasons}", field="variants", mend=mend)


def _scored(context: StepContext, rows: Any) -> Any:
    """Return the champion with its scores on the hold-out, as a side of the comparison."""
    from worker.steps.comparison import Side, score
    from worker.steps.trainers.port import Job, trainer_of

    bee, champion = bee_of(context), champion_of(context.run)
    if champion is None:
        return None
    job = Job(bee, seed_of(context.run), context.ports.models)
    stored = context.ports.artifacts.fetch(champion.artifact)
    model = trainer_of(bee).load(stored, champion.artifact.sha256, job)
    side = Side(model.metadata, score(model, rows.columns, bee), champion.trained_until)
    if bee.task == "generation":
        outcome.add_spend(context, "champion", [getattr(model, "spent", {})])
    return side


def _file(directories: Sequence[Path], winner: str) -> dict[str, str]:
    path = model_path(directories, winner)
    return {"uri": uri_of(path), "sha256": sha256_of(path)}


def _page(context: StepContext) -> Path:
    """Return where the report lies once more, under a name that browsers know."""
    return context.outputs["report"].with_name("report.html")


def _record(context: StepContext, comparison: Mapping[str, Any]) -> None:
    shown = {name: value for name, value in comparison.items() if name != "evaluation"}
    # The answers stay in the artifact: an outcome lies in the ledger, and is read often.
    variants = [{name: value for name, value in item.items() if name != "answers"} for item in shown["variants"]]
    evaluation = comparison["evaluation"]
    outcome.record(
        context,
        STAGE,
        comparison=shown | {"variants": variants},
        champion=evaluation["champion"],
        gate=evaluation["gate"],
        metrics=evaluation["challenger"]["metrics"],
        artifacts=[
            outcome.artifact("comparison", METRICS, context.outputs["comparison"], {"winner": comparison["winner"]}),
            outcome.artifact("report", HTML, _page(context), {}),
        ],
    )


STEP = StepType(
    name="comparison",
    config=ComparisonConfig,
    inputs={"trained": list_of(ARTIFACT), "holdout": DATASET},
    outputs={"comparison": METRICS, "report": HTML},
    body=compare_variants,
)

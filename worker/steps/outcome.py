"""The outcome contract: `outcome.json` under the run's directory, replaced atomically; *settle* reads only that."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.steps.files import read_json, uri_of, write_json
from worker.steps.step import StepContext

FILE = "outcome.json"
SCHEMA = 1
Json = dict[str, Any]


def _empty(context: StepContext) -> Json:
    """Return the outcome of a run that has concluded nothing yet."""
    run = context.run
    return {
        "schema": SCHEMA,
        "run": run.get("id"),
        "bee": context.bee.bee if context.bee else None,
        "template": run.get("template"),
        "verdict": None,
        "reason": "",
        "stage": "",
        "challenger": None,
        "champion": None,
        "gate": {},
        "metrics": {},
        "lineage": _lineage(run),
        "cost": {"cpuSeconds": 0.0, "steps": {}},
        "artifacts": [],
    }


def artifact(name: str, kind: str, path: Path, metadata: Mapping[str, Any]) -> Json:
    """Return an artifact as the outcome lists it."""
    return {"name": name, "type": kind, "uri": uri_of(path), "metadata": dict(metadata)}


def read(directory: Path) -> Json | None:
    """Return the outcome in a run's directory, or None before there is one. Raises Rejected if it is broken."""
    path = directory / FILE
    return read_json(path) if path.exists() else None


def begin(context: StepContext) -> None:
    """Write the first outcome of a run; what an earlier execution of the run left is gone."""
    write_json(context.output_dir / FILE, _empty(context))


def record(context: StepContext, stage: str, **changes: Any) -> Json:
    """Replace the outcome by itself with `changes`; lineage is merged, artifacts are replaced by name."""
    current = read(context.output_dir) or _empty(context)
    artifacts = {item["name"]: item for item in [*current["artifacts"], *changes.pop("artifacts", ())]}
    lineage = current["lineage"] | changes.pop("lineage", {})
    merged = current | changes | {"stage": stage, "lineage": lineage, "artifacts": list(artifacts.values())}
    write_json(context.output_dir / FILE, merged)
    return merged


def add_cost(context: StepContext, step: str, cpu_seconds: float) -> None:
    """Say what a step cost; a second execution of the same step replaces the first one's figure.

    Each step writes its own file, so that parallel steps cannot lose each other's figures; the outcome sums them.
    """
    write_json(context.output_dir / "cost" / f"{step}.json", {"step": step, "cpuSeconds": round(cpu_seconds, 3)})
    current = read(context.output_dir)
    if current is None:
        return
    steps = [read_json(path) for path in sorted((context.output_dir / "cost").glob("[!.]*.json"))]
    figures = {item["step"]: item["cpuSeconds"] for item in steps}
    current["cost"] = {"cpuSeconds": round(sum(figures.values()), 3), "steps": figures}
    write_json(context.output_dir / FILE, current)


def _lineage(run: Mapping[str, Any]) -> Json:
    names = ("template", "asOf", "seed", "parameters", "definitions", "policyVersion", "codeVersion", "incident")
    return {"run": run.get("id"), **{name: run.get(name) for name in names}}

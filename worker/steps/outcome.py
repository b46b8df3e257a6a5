"""The outcome contract: `outcome.json` under the run's directory, replaced atomically; *settle* reads only that."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.steps.files import read_json, uri_of, write_json
from worker.steps.step import StepContext

FILE = "outcome.json"
SCHEMA = 1
Json = dict[str, Any]


@dataclass(frozen=True)
class Spent:
    """What a step took: seconds of processors, and of memory (its peak for as long as it ran, 10^9 bytes times s)."""

    cpu_s: float
    memory_gb_s: float = 0.0


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
        "cost": {"cpuSeconds": 0.0, "memoryGbSeconds": 0.0, "steps": {}},
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


def add_cost(context: StepContext, step: str, took: Spent, *, task: str = "") -> None:
    """Say what a step cost; a second execution of the same step replaces the first one's figure.

    Each step writes its own file, so that parallel steps cannot lose each other's figures; the outcome sums them.

    Args:
        context: of the step.
        step: its id.
        took: what it took.
        task: which of the runs of a `foreach` step this was. Those leave the outcome to the steps after them, which do
            not run at the same time.
    """
    name = f"{step}.{hashlib.sha256(task.encode()).hexdigest()[:16]}" if task else step
    told = {"step": step, "cpuSeconds": round(took.cpu_s, 3), "memoryGbSeconds": round(took.memory_gb_s, 3)}
    write_json(context.output_dir / "cost" / f"{name}.json", told)
    current = None if task else read(context.output_dir)
    if current is None:
        return
    figures: dict[str, float] = {}
    memory = 0.0
    for path in sorted((context.output_dir / "cost").glob("[!.]*.json")):
        item = read_json(path)
        figures[item["step"]] = round(figures.get(item["step"], 0.0) + item["cpuSeconds"], 3)
        memory += item.get("memoryGbSeconds", 0.0)
    sums = {"cpuSeconds": round(sum(figures.values()), 3), "memoryGbSeconds": round(memory, 3)}
    current["cost"] = {**sums, "steps": figures, **_spent(context.output_dir)}
    write_json(context.output_dir / FILE, current)


def add_spend(context: StepContext, step: str, spent: Sequence[Mapping[str, float | None]]) -> None:
    """Say what a step's answers took (usd, tokens); the outcome has their sums with the step's CPU seconds."""
    names = dict.fromkeys(name for item in spent for name in item)
    sums = {name: _sum(item.get(name, 0.0) for item in spent) for name in names}
    write_json(context.output_dir / "spend" / f"{step}.json", sums)


def _spent(directory: Path) -> dict[str, float | None]:
    parts = [read_json(path) for path in sorted((directory / "spend").glob("[!.]*.json"))]
    return {name: _sum(part.get(name, 0.0) for part in parts) for part in parts for name in part}


def _sum(values: Iterable[float | None]) -> float | None:
    """Return the sum; None if a part is not known."""
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return round(total, 9)


def _lineage(run: Mapping[str, Any]) -> Json:
    names = ("template", "asOf", "seed", "parameters", "definitions", "policyVersion", "codeVersion", "incident")
    return {"run": run.get("id"), **{name: run.get(name) for name in names}}

"""The comparison of an experiment as JSON values: every variant with its numbers, the reference, the winner and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from worker.bee import BeeSpec
from worker.clock import to_text
from worker.steps.comparison import Side, compare_sides, question_of
from worker.steps.league import Entrant, Level, Result, Table, decide, tabulate
from worker.steps.metrics import Scores, measure, measure_all
from worker.steps.naive import naive_scores
from worker.steps.slices import parts
from worker.steps.tables import Rows

REFERENCE = "\0reference"
_SUMS = ("usd", "inputTokens", "outputTokens", "requests", "judgeUsd")


@dataclass(frozen=True)
class Reference:
    """The model in production, with its scores on the hold-out."""

    version: str
    trained_until: datetime | None
    side: Side


def standings(
    results: Sequence[Mapping[str, Any]],
    reference: Reference | None,
    rows: Rows,
    bee: BeeSpec,
    *,
    resamples: int,
    seed: int,
) -> dict[str, Any] | None:
    """Return the comparison, None if no variant's value is defined.

    Args:
        results: each `{name, status, settings, metadata, scores, simplicity, spent, …}`, as variant training left it.
        reference: the champion; without one the best constant prediction is what the variants are held against.
        rows: the hold-out that all were scored on.
        bee: whose metric counts.
        resamples: how many bootstrap samples to draw.
        seed: of the resampling.
    """
    question = question_of(bee)
    trained = [item for item in results if item["status"] == "succeeded"]
    entrants = [Entrant(item["name"], scores_of(item["scores"]), _order(item, bee)) for item in trained]
    first = entrants[0].scores
    naive = reference.side.scores if reference else naive_scores(question, trained[0]["metadata"], first.truth)
    level = Level(bee.gate.confidence, resamples, seed)
    table = tabulate(question, [*entrants, Entrant(REFERENCE, naive)], level)
    result = decide(table, entrants, "cheapest" if bee.task == "generation" else "simplest")
    if result is None:
        return None
    scores = {item.name: item.scores for item in entrants}
    variants = [_shown(item, table, result, scores, rows, bee) for item in results]
    winner = next(item for item in trained if item["name"] == result.winner)
    chosen = (
        {"chosenOn": list(rows.entity_ids)} if bee.task == "generation" else {"chosenUntil": to_text(max(rows.times))}
    )
    metadata = winner["metadata"] | chosen | {"chosenAmong": len(trained)}
    side = Side(metadata, scores[result.winner])
    champion = reference.side if reference else None
    return {
        "metric": bee.metric,
        "lowerIsBetter": bee.lower_is_better,
        "task": bee.task,
        "rows": len(rows),
        "positives": int(np.sum(first.truth)) if bee.task == "binary" else None,
        "holdoutStart": to_text(min(rows.times)),
        "holdoutEnd": to_text(max(rows.times)),
        "confidence": bee.gate.confidence,
        "resamples": resamples,
        "winner": result.winner,
        "best": result.best,
        "withinNoise": list(result.level_with_best),
        "words": result.words,
        "variants": _ranked(variants, lower_is_better=bee.lower_is_better),
        "reference": _reference(reference, table, rows, naive, bee),
        "evaluation": compare_sides(side, champion, rows, bee, resamples=resamples, seed=seed),
    }


def scores_of(told: Mapping[str, Any]) -> Scores:
    """Return scores out of JSON lists."""
    score = told["score"]
    return Scores(np.array(told["truth"]), np.array(told["predicted"]), None if score is None else np.array(score))


def _order(item: Mapping[str, Any], bee: BeeSpec) -> tuple[float, ...]:
    """Return what decides between equals: simplicity, or for answers their price (their tokens where none is known)."""
    if bee.task != "generation":
        return tuple(float(part) for part in item["simplicity"])
    spent = item["spent"]
    usd, tokens = spent.get("usd"), spent.get("outputTokens")
    # One whose price is not known is not called cheaper than one whose price is.
    return (float("inf") if usd is None else usd, float("inf") if tokens is None else tokens)


def _shown(
    item: Mapping[str, Any],
    table: Table,
    result: Result,
    scores: Mapping[str, Scores],
    rows: Rows,
    bee: BeeSpec,
) -> dict[str, Any]:
    name = item["name"]
    told = {key: item.get(key) for key in ("name", "status", "error", "settings", "startedAt", "endedAt", "cpuSeconds")}
    if item["status"] != "succeeded":
        return told
    lower, upper = table.interval(name)
    metadata, spent = item["metadata"], item["spent"]
    defined = table.values[name] is not None
    return told | {
        "status": "compared" if defined else "failed",
        "error": None if defined else f"{bee.metric} is undefined on the hold-out",
        "algorithm": metadata["algorithm"],
        "hyperparameters": metadata["hyperparameters"],
        "value": table.values[name],
        "lower": lower,
        "upper": upper,
        "metrics": measure_all(bee.metric, bee.task, scores[name]),
        "againstBest": None if name == result.best else table.against(name, result.best),
        "againstReference": table.against(name, REFERENCE),
        "trainSeconds": item["trainSeconds"],
        "scoreSeconds": item["scoreSeconds"],
        "modelBytes": item["bytes"],
        **{key: spent[key] for key in _SUMS if key in spent},
        "answers": item["answers"],
        "slices": _slices(scores[name], rows, bee),
    }


def _ranked(variants: list[dict[str, Any]], *, lower_is_better: bool) -> list[dict[str, Any]]:
    """Return the best first, those without a value last in their own order."""

    def place(item: Mapping[str, Any]) -> tuple[bool, float]:
        value = item.get("value")
        return (True, 0.0) if value is None else (False, value if lower_is_better else -value)

    return sorted(variants, key=place)


def _reference(
    reference: Reference | None, table: Table, rows: Rows, scores: Scores, bee: BeeSpec
) -> dict[str, Any]:  # fmt: skip
    lower, upper = table.interval(REFERENCE)
    until = reference.trained_until if reference else None
    return {
        "kind": "champion" if reference else "naive baseline",
        "version": reference.version if reference else None,
        "value": table.values[REFERENCE],
        "lower": lower,
        "upper": upper,
        # A champion that learned from these rows is flattered by them.
        "seen": reference is not None and bee.task != "generation" and (until is None or until >= min(rows.times)),
        "slices": _slices(scores, rows, bee),
    }


def _slices(scores: Scores, rows: Rows, bee: BeeSpec) -> list[dict[str, Any]]:
    names = bee.gate.slices
    if bee.task == "generation" and not names:
        names = tuple(name for name in rows.columns if name != "case")
    return [
        {
            "column": column,
            "value": value,
            "rows": len(indexes),
            "metric": measure(bee.metric, bee.task, scores.take(indexes)),
        }
        for column in names
        for value, indexes in parts(rows, column)
    ]
